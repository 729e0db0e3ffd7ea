#include "superstep/layers/softplus.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "superstep/base/rng.h"
#include "superstep/kernels/elementwise.h"

namespace superstep::layers {
namespace {

TEST(SumSoftplus, IsTheSumOfSoftplus) {
  for (const size_t size : {0, 1, 7, 8, 9, 511, 512, 513, 2000}) {
    std::vector<float> x(size);
    fill_normal(RngKey(1), size, x);
    double sum = 0;
    for (float& value : x) {
      value *= 10.0F;
      sum += kernels::softplus(value);
    }
    EXPECT_NEAR(sum_softplus(x), sum, 1e-7 * static_cast<double>(size)) << size;
  }
}

TEST(SumSoftplus, NeitherOverflowsNorHidesNaN) {
  EXPECT_NEAR(sum_softplus(std::vector<float>(2000, 0.0F)), 2000 * std::log(2.0), 1e-9);
  EXPECT_DOUBLE_EQ(sum_softplus(std::vector<float>{1e30F, -1e30F}), double{1e30F});
  EXPECT_TRUE(
      std::isnan(sum_softplus(std::vector<float>{1.0F, std::numeric_limits<float>::quiet_NaN()})));
}

}  // namespace
}  // namespace superstep::layers
