#include "superstep/layers/check_layer.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "superstep/kernels/matmul.h"

namespace superstep::layers {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
// Large enough that float32 rounding of the outputs stays near 1e-5 of a slope, small enough for
// the third derivative to stay below that too.
constexpr float kStep = 0x1p-7F;
// Two one-sided slopes of a smooth function differ by about the step; those at a kink by its angle.
constexpr double kKink = 0.05;

// Adds up what is handed over; a tensor is NaN until then.
class Collector : public GradSink {
 public:
  Collector(const ParamSet& params, kernels::Context& context)
      : gradient_(params),
        touched_(static_cast<size_t>(params.layout().size())),
        context_(context) {
    gradient_.fill(kNaN);
  }
  void add_product(int param, ConstMatrix a, ConstMatrix b) override {
    kernels::matmul(context_, a, kernels::Op::kTransposed, b, kernels::Op::kPlain,
                    gradient_.matrix(param), touched_.at(static_cast<size_t>(param)));
    touched_[static_cast<size_t>(param)] = true;
  }
  void add(int param, std::span<const float> values) override {
    const std::span<float> sum = gradient_.values(param);
    SUPERSTEP_ASSERT(sum.size() == values.size());
    for (size_t i = 0; i < sum.size(); ++i)
      sum[i] = touched_.at(static_cast<size_t>(param)) ? sum[i] + values[i] : values[i];
    touched_[static_cast<size_t>(param)] = true;
  }
  // A tensor that was never handed over claims to have no influence: zero, which is then compared.
  [[nodiscard]] const ParamSet& gradient() {
    for (size_t i = 0; i < touched_.size(); ++i)
      if (!touched_[i]) std::ranges::fill(gradient_.values(static_cast<int>(i)), 0.0F);
    return gradient_;
  }

 private:
  ParamSet gradient_;
  std::vector<bool> touched_;
  kernels::Context& context_;
};

// Moves each of `values` and compares the slope of `loss` with `gradient`.
void compare(const std::string& name, std::span<float> values, std::span<const float> gradient,
             const std::function<double()>& loss, GradientReport& report) {
  std::vector<double> slopes(values.size());
  std::vector<bool> kink(values.size());
  const double at = loss();
  double largest = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const float value = values[i];
    const float above = value + kStep, below = value - kStep;
    values[i] = above;
    const double at_above = loss();
    values[i] = below;
    const double at_below = loss();
    values[i] = value;
    slopes[i] = (at_above - at_below) / (double{above} - double{below});
    const double right = (at_above - at) / (double{above} - double{value});
    const double left = (at - at_below) / (double{value} - double{below});
    kink[i] = std::fabs(right - left) > kKink * (1 + std::fabs(slopes[i]));
    largest = std::max(largest, std::fabs(slopes[i]));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (kink[i] && std::isfinite(gradient[i])) {
      ++report.kinks;
      continue;
    }
    ++report.compared;
    const double difference = std::fabs(double{gradient[i]} - slopes[i]);
    // A tensor without influence has slopes of zero: then the difference itself counts.
    double error = difference / (largest > 1e-3 ? largest : 1.0);
    if (!std::isfinite(error)) error = std::numeric_limits<double>::infinity();
    if (error <= report.largest_error) continue;
    report.largest_error = error;
    report.where =
        fmt::format("{}[{}]: backward {}, differences {}", name, i, gradient[i], slopes[i]);
  }
}

}  // namespace

GradientReport check_layer(const Layer& layer, const CheckOptions& options) {
  const RngKey key(options.seed);
  std::vector<ParamSpec> specs;
  for (const TensorInit& init : layer.tensors()) specs.push_back({init.name, init.shape});
  ParamSet params(specs);
  for (int i = 0; i < params.layout().size(); ++i) {
    fill_normal(key.fold(specs[static_cast<size_t>(i)].name), 0, params.values(i));
    for (float& value : params.values(i)) value *= options.tensor_scale;
  }
  Tensor x({options.rows, layer.inputs()}), y({options.rows, layer.outputs()});
  Tensor r = y, dy = y, dx = x;
  fill_normal(key.fold("x"), 0, x.values());
  fill_normal(key.fold("r"), 0, r.values());
  std::vector<int64_t> row_numbers(static_cast<size_t>(options.rows));
  std::iota(row_numbers.begin(), row_numbers.end(), int64_t{0});
  kernels::Context context;
  const Pass pass{options.mode, key.fold("pass"), row_numbers, context};

  const auto loss = [&] {
    std::ranges::fill(y.values(), kNaN);
    layer.forward(params, 0, x.matrix(), y.matrix(), pass);
    double sum = 0;
    for (size_t i = 0; i < y.values().size(); ++i)
      sum += double{r.values()[i]} * double{y.values()[i]};
    return sum;
  };
  loss();
  std::ranges::copy(r.values(), dy.values().begin());
  std::ranges::fill(dx.values(), kNaN);
  Collector collector(params, context);
  layer.backward(params, 0, x.matrix(), y.matrix(), dy.matrix(), dx.matrix(), pass, collector);
  const ParamSet& gradient = collector.gradient();

  GradientReport report;
  compare("x", x.values(), dx.values(), loss, report);
  for (int i = 0; i < params.layout().size(); ++i)
    compare(specs[static_cast<size_t>(i)].name, params.values(i), gradient.values(i), loss, report);
  return report;
}

GradientReport check_loss(const Loss& loss, ConstMatrix z, const Batch& batch) {
  Tensor moved({z.rows, z.cols}), dz({z.rows, z.cols});
  for (int64_t r = 0; r < z.rows; ++r) std::ranges::copy(z.row(r), moved.matrix().row(r).begin());
  std::ranges::fill(dz.values(), kNaN);
  Matrix gradient = dz.matrix();
  loss.evaluate(moved.matrix(), batch, &gradient);
  GradientReport report;
  const auto mean = [&] {
    return loss.evaluate(moved.matrix(), batch, nullptr) / static_cast<double>(z.rows);
  };
  compare("z", moved.values(), dz.values(), mean, report);
  return report;
}

}  // namespace superstep::layers
