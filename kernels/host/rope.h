// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding with any positions of a sequence's tokens.
#pragma once

#include <cmath>
#include <memory>

#include "kernels/host/number.h"
#include "kernels/ops/attention.h"

namespace stepmark::host {

// Token i of each sequence is at position_of(i).
template <class PositionOf>
void rotate_heads(const RopeShape& s, DType dtype, void* const* operands, PositionOf position_of) {
  const std::int64_t half = s.head_dim / 2, rotated = s.heads + s.kv_heads;
  const std::int64_t width = (rotated + s.kv_heads) * s.head_dim;
  // Angles in double: at position 8192 an fp32 angle is off by 5e-4 already. One table per
  // position serves all its heads and batches.
  const auto table = make_scratch(s.seq * s.head_dim);
  float* turns = table.get();
  const auto frequency = std::make_unique<double[]>(static_cast<std::size_t>(half));
  for (std::int64_t i = 0; i < half; ++i) {
    frequency[i] =
        std::pow(s.theta, -2.0 * static_cast<double>(i) / static_cast<double>(s.head_dim));
  }
  with_type(dtype, [&]<class T>(T) {
    T* qkv = output<T>(operands, 0);
    parallel_each(s.seq, s.batch * rotated * s.head_dim, [&](std::int64_t i_token) {
      const auto position = static_cast<double>(position_of(i_token));
      float *cosine = turns + i_token * s.head_dim, *sine = cosine + half;
      for (std::int64_t i = 0; i < half; ++i) {
        const double angle = position * frequency[i];
        cosine[i] = static_cast<float>(std::cos(angle));
        sine[i] = static_cast<float>(s.inverse != 0 ? -std::sin(angle) : std::sin(angle));
      }
      for (std::int64_t bh = 0; bh < s.batch * rotated; ++bh) {
        const std::int64_t token = bh / rotated * s.seq + i_token;
        T *low = qkv + token * width + bh % rotated * s.head_dim, *high = low + half;
#pragma omp simd
        for (std::int64_t i = 0; i < half; ++i) {
          const float a = load(low[i]), b = load(high[i]);
          store(low[i], a * cosine[i] - b * sine[i]);
          store(high[i], b * cosine[i] + a * sine[i]);
        }
      }
    });
  });
}

}  // namespace stepmark::host
