// SPDX-License-Identifier: Apache-2.0
// GELU in its tanh form and its derivative, in double: what gelu_fwd, gelu_bwd and the matrix
// GEMMs that fold them in are compared with. Hendrycks & Gimpel, arXiv 1606.08415, section 2.
#pragma once

#include <cmath>
#include <numbers>

namespace stepmark {

inline double gelu_inner(double x) {
  return std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
}
inline double gelu_reference(double x) { return 0.5 * x * (1.0 + std::tanh(gelu_inner(x))); }
inline double gelu_slope_reference(double x) {
  const double t = std::tanh(gelu_inner(x));
  const double inner_slope = std::sqrt(2.0 / std::numbers::pi) * (1.0 + 3.0 * 0.044715 * x * x);
  return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner_slope;
}

}  // namespace stepmark
