// SPDX-License-Identifier: Apache-2.0
// Sizes of operands of ops over a matrix: shapes with dims `rows` and `cols`.
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

}  // namespace stepmark
