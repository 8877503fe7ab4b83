// SPDX-License-Identifier: Apache-2.0
// Logistic function and GELU in fp32. The hardware's exponential and reciprocal are off by a few
// units in the last place, far below bf16's rounding.
#pragma once

#include <simt/simt.cuh>

namespace stepmark::cuda {

__device__ inline float sigmoid(float x) { return __fdividef(1.0F, 1.0F + __expf(-x)); }

inline constexpr float kTwoSqrtTwoOverPi = 1.59576912F;  // 2 sqrt(2/pi)
inline constexpr float kGeluCubic = 0.044715F;

__device__ inline float gelu(float x) {
  return x * sigmoid(kTwoSqrtTwoOverPi * (x + kGeluCubic * x * x * x));
}
__device__ inline float gelu_slope(float x) {
  const float s = sigmoid(kTwoSqrtTwoOverPi * (x + kGeluCubic * x * x * x));
  return s + x * s * (1.0F - s) * kTwoSqrtTwoOverPi * (1.0F + 3.0F * kGeluCubic * x * x);
}

}  // namespace stepmark::cuda
