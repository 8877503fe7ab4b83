// SPDX-License-Identifier: Apache-2.0
// Exponential and sigmoid as straight-line code that compilers vectorise.
//
// exp(x) = 2^n exp(r), n = round(x / ln 2), r = x - n ln 2 with ln 2 in two parts (Cody & Waite,
// "Software Manual for the Elementary Functions", 1980, chapter 6). exp(r) is 1 + r + r^2 p(r),
// with p of degree 4 interpolating (exp(r) - 1 - r) / r^2 at the five Chebyshev nodes of
// [-ln2/2, ln2/2]; its own relative error is 1.1e-8. Measured against libm's double over
// [-87, 88.3]: at most 1.5 units in the last place (tests/unit/kernels). Beyond, where 2^n leaves
// fp32's normal range: 0 below -87.7, infinity above 88.4; NaN stays NaN.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace stepmark::host {

inline float exp(float x) {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693145752F, kLn2Low = 1.42860677e-6F;  // high: 15 bits, n high exact
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.3926213e-3F;
  p = p * r + 8.3632031e-3F;
  p = p * r + 4.1666556e-2F;
  p = p * r + 1.6666576e-1F;
  p = p * r + 0.5F;
  p = p * (r * r) + r + 1.0F;
  // The low bits of `shifted` are n: moved to the exponent, with its bias, they are 2^n.
  const auto power = std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127U) << 23);
  // Beyond the range of n the product is meaningless. Comparisons in this form keep a NaN.
  const float y = x < -87.7F ? 0.0F : p * power;
  return x > 88.4F ? std::numeric_limits<float>::infinity() : y;
}

inline float sigmoid(float x) { return 1.0F / (1.0F + exp(-x)); }

}  // namespace stepmark::host
