// SPDX-License-Identifier: Apache-2.0
// Exponential and sigmoid as straight-line code that compilers vectorise.
//
// exp(x) = 2^n exp(r), n = round(x / ln 2), r = x - n ln 2 with ln 2 in two parts (Cody & Waite,
// "Software Manual for the Elementary Functions", 1980, chapter 6). exp(r) is 1 + r + r^2 p(r),
// with p of degree 4 interpolating (exp(r) - 1 - r) / r^2 at the five Chebyshev nodes of
// [-ln2/2, ln2/2]; its own relative error is 1.1e-8. Measured against libm's double over
// [-87, 88.7]: at most 1.5 units in the last place (tests/unit/kernels). Beyond: infinity above
// 88.73, gradual underflow to 0 below -87.3; NaN stays NaN.
#pragma once

#include <bit>
#include <cstdint>

namespace stepmark::host {

inline float exp(float x) {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693145752F, kLn2Low = 1.42860677e-6F;  // high: 15 bits, n high exact
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  // Comparisons in this form keep a NaN.
  x = x < -104.0F ? -104.0F : x;
  x = x > 89.0F ? 89.0F : x;
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.3926213e-3F;
  p = p * r + 8.3632031e-3F;
  p = p * r + 4.1666556e-2F;
  p = p * r + 1.6666576e-1F;
  p = p * r + 0.5F;
  p = p * (r * r) + r + 1.0F;
  // 2^n as two factors, so that overflow and underflow happen in the multiplication.
  const std::int32_t whole =
      std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound);
  const std::int32_t half = whole >> 1;
  const auto power = [](std::int32_t e) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(e + 127) << 23);
  };
  return p * power(half) * power(whole - half);
}

inline float sigmoid(float x) { return 1.0F / (1.0F + exp(-x)); }

}  // namespace stepmark::host
