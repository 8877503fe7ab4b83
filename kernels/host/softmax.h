// SPDX-License-Identifier: Apache-2.0
// A row of attention's scores, forward and backward, which all of its host kernels share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/host/reduce.h"
#include "kernels/host/vector_math.h"

namespace stepmark::host {

// Scores of one row become exp(score - max), masked ones 0; returns the log-sum-exp.
inline float softmax_row(float* score, std::int64_t visible, std::int64_t width, float* sum_out) {
  const float largest = max_in_lanes(0, visible, [=](std::int64_t k) { return score[k]; });
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t k = 0; k < visible; ++k) {
    score[k] = exp(score[k] - largest);
    sum += score[k];
  }
  std::fill(score + visible, score + width, 0.0F);
  *sum_out = sum;
  return largest + std::log(sum);
}

// Row of scores and of dP become P and dS.
inline void softmax_backward_row(float* p, float* ds, const float* dout, const float* out,
                                 std::int64_t head_dim, float scale, float lse,
                                 std::int64_t visible, std::int64_t width) {
  float delta = 0;
#pragma omp simd reduction(+ : delta)
  for (std::int64_t d = 0; d < head_dim; ++d) delta += dout[d] * out[d];
#pragma omp simd
  for (std::int64_t k = 0; k < visible; ++k) {
    p[k] = exp(p[k] - lse);
    ds[k] = p[k] * (ds[k] - delta) * scale;
  }
  std::fill(p + visible, p + width, 0.0F);
  std::fill(ds + visible, ds + width, 0.0F);
}

}  // namespace stepmark::host
