#include "superstep/layers/softplus.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "superstep/kernels/math.h"

namespace superstep::layers {
namespace {
// The lanes are sums and products of their own, so that vectors of any width give the same bits.
constexpr size_t kLanes = 8, kBlock = 512;
}  // namespace

double sum_softplus(std::span<const float> x) {
  double sum = 0;
  std::array<float, kBlock> positive, power;
  for (size_t begin = 0; begin < x.size(); begin += kBlock) {
    const std::span<const float> block = x.subspan(begin, std::min(kBlock, x.size() - begin));
    for (size_t i = 0; i < block.size(); ++i) {
      positive[i] = block[i] < 0.0F ? 0.0F : block[i];
      power[i] = kernels::exp(-std::fabs(block[i]));
    }
    const size_t padded = (block.size() + kLanes - 1) / kLanes * kLanes;
    for (size_t i = block.size(); i < padded; ++i) positive[i] = power[i] = 0.0F;
    std::array<double, kLanes> sums{}, products;
    products.fill(1.0);
    for (size_t i = 0; i < padded; i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) {
        sums[lane] += double{positive[i + lane]};
        products[lane] *= 1.0 + double{power[i + lane]};
      }
    }
    double product = 1;
    for (size_t lane = 0; lane < kLanes; ++lane) {
      sum += sums[lane];
      product *= products[lane];
    }
    sum += std::log(product);
  }
  return sum;
}

}  // namespace superstep::layers
