// How an optimizer moves a tensor: each rule in one pass over the weights and their state.
//
//   momentum_step(w, v, g, {.rate = 0.1F, .l2 = 2e-4F}, /*momentum=*/0.9F);
//   column_norm_limit(params.matrix(0), 4.0F);
//
// All spans of one call have the same size and do not overlap. Below, g' is what the weights
// descend: scale g + l2 w + l1 sign(w), with w before the step. Every element is computed by the
// same float32 operations, in the order written, on each instruction set: the same bits.
#pragma once

#include <span>

#include "superstep/tensor/tensor.h"

namespace superstep::kernels {

/// What the rules have in common.
struct Descent {
  float rate = 0;        ///< The learning rate.
  float scale = 1;       ///< The gradient counts times this: below 1 where it is clipped.
  float l1 = 0, l2 = 0;  ///< Weight decay.
};

/// w -= rate g', without momentum.
void descent_step(std::span<float> w, std::span<const float> g, const Descent& d);
/// v += l2 w + l1 sign(w), then w -= rate v: for a velocity that has taken its gradient already.
/// `scale` is not read.
void sgd_step(std::span<float> w, std::span<float> v, const Descent& d);
/// v = momentum v + g', then w -= rate v (Polyak 1964).
void momentum_step(std::span<float> w, std::span<float> v, std::span<const float> g,
                   const Descent& d, float momentum);
/// v = momentum v + g', then w -= rate (g' + momentum v) (Bengio et al. 2013, eq. 7).
void nesterov_step(std::span<float> w, std::span<float> v, std::span<const float> g,
                   const Descent& d, float momentum);
/// a += g'^2, then w -= rate g' / (sqrt(a) + epsilon) (Duchi, Hazan and Singer 2011).
void adagrad_step(std::span<float> w, std::span<float> a, std::span<const float> g,
                  const Descent& d, float epsilon);
/// a = kept a + (1 - kept) g'^2, then as adagrad_step (Tieleman and Hinton 2012).
void rmsprop_step(std::span<float> w, std::span<float> a, std::span<const float> g,
                  const Descent& d, float kept, float epsilon);

/// The constants of Adam; the corrections are 1 / (1 - kept^t) at step t.
struct AdamRule {
  float first_kept = 0.9F, second_kept = 0.999F, epsilon = 1e-8F;
  float second_correction = 1;  ///< That of the first moment belongs into the rate.
};
/// f = first_kept f + (1 - first_kept) g', a = second_kept a + (1 - second_kept) g'^2, then
/// w -= rate f / (sqrt(second_correction a) + epsilon) (Kingma and Ba 2015, algorithm 1).
void adam_step(std::span<float> w, std::span<float> f, std::span<float> a, std::span<const float> g,
               const Descent& d, const AdamRule& rule);

/// y = a x.
void scaled_copy(float a, std::span<const float> x, std::span<float> y);

/// The sum of x^2 in double. Element i goes to one of 16 partial sums, i mod 16, which are added
/// in pairs at the end, the same way on each instruction set.
double sum_of_squares(std::span<const float> x);

/// Scales each column whose norm (sum of squares in float32, from the first row to the last) is
/// above `limit` down to it. Other columns keep their bits.
void column_norm_limit(Matrix w, float limit);

}  // namespace superstep::kernels
