// SPDX-License-Identifier: Apache-2.0
// Sizes of operands: products of dims of a shape, by name for matrices of `rows` and `cols` and for
// flat arrays of `elements`; one element, and two.
#pragma once

#include "kernels/op.h"

namespace stepmark {

template <class S>
S shape_with(std::int64_t S::*dim);  // never defined: whose dim it is

// of_dims<&S::m, &S::k>: an operand of m x k elements.
template <auto kFirst, auto... kRest>
std::int64_t of_dims(const OpShape& shape) {
  const auto s = unpack<decltype(shape_with(kFirst))>(shape);
  return ((s.*kFirst) * ... * (s.*kRest));
}
template <class S>
constexpr auto all = of_dims<&S::rows, &S::cols>;
template <class S>
constexpr auto rows = of_dims<&S::rows>;
template <class S>
constexpr auto cols = of_dims<&S::cols>;
template <class S>
constexpr auto flat = of_dims<&S::elements>;
inline std::int64_t one(const OpShape&) { return 1; }
inline std::int64_t two(const OpShape&) { return 2; }

// Facts of ops that only move data.
inline double no_flops(const OpShape&) { return 0.0; }
inline double exact(const OpShape&) { return 0.0; }

}  // namespace stepmark
