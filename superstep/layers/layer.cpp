#include "superstep/layers/layer.h"

namespace superstep::layers {

void initialize(const TensorInit& init, RngKey key, std::span<float> values) {
  SUPERSTEP_ASSERT(init.shape.count() == static_cast<int64_t>(values.size()));
  const RngKey own = key.fold(init.name);
  switch (init.fill) {
    case Fill::kZero:
      for (float& value : values) value = 0.0F;
      return;
    case Fill::kNormal:
      fill_normal(own, 0, values);
      for (float& value : values) value *= init.scale;
      return;
    case Fill::kUniform:
      fill_uniform(own, 0, values);
      for (float& value : values) value = (2.0F * value - 1.0F) * init.scale;
      return;
  }
}

void expect_columns(const Layer& layer, const char* what, const Features& matrix, int64_t cols) {
  if (matrix.cols() != cols)
    throw Error(fmt::format("[{}] {} must be (rows, {}), got {}", layer.describe(), what, cols,
                            matrix.shape().to_string()));
}

}  // namespace superstep::layers
