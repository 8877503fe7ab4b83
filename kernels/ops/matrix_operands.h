// SPDX-License-Identifier: Apache-2.0
// Sizes of operands of ops over a matrix, with dims `rows` and `cols`, or over a flat array, with
// `elements`; of one element and of two.
#pragma once

#include "kernels/op.h"

namespace stepmark {

template <class S>
std::int64_t all(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.rows * s.cols;
}
template <class S>
std::int64_t rows(const OpShape& shape) {
  return unpack<S>(shape).rows;
}
template <class S>
std::int64_t cols(const OpShape& shape) {
  return unpack<S>(shape).cols;
}

template <class S>
std::int64_t flat(const OpShape& shape) {
  return unpack<S>(shape).elements;
}
inline std::int64_t one(const OpShape&) { return 1; }
inline std::int64_t two(const OpShape&) { return 2; }

// Facts of ops that only move data.
inline double no_flops(const OpShape&) { return 0.0; }
inline double exact(const OpShape&) { return 0.0; }

}  // namespace stepmark
