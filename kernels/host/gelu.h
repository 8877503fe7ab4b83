// SPDX-License-Identifier: Apache-2.0
// With x/2 (1 + tanh(u)) = x sigmoid(2u), GELU needs one exponential and no cancellation.
#pragma once

#include "kernels/host/vector_math.h"

namespace stepmark::host {

inline constexpr float kTwoSqrtTwoOverPi = 1.59576912F;  // 2 sqrt(2/pi)
inline constexpr float kGeluCubic = 0.044715F;

inline float gelu(float x) { return x * sigmoid(kTwoSqrtTwoOverPi * (x + kGeluCubic * x * x * x)); }
inline float gelu_slope(float x) {
  const float s = sigmoid(kTwoSqrtTwoOverPi * (x + kGeluCubic * x * x * x));
  // At large |x| the second term is 0 times a large number: finite as long as x^3 is.
  return s + x * s * (1.0F - s) * kTwoSqrtTwoOverPi * (1.0F + 3.0F * kGeluCubic * x * x);
}

}  // namespace stepmark::host
