// SPDX-License-Identifier: Apache-2.0
// How far a rank's part of a parameter or gradient is from the same part of the whole.
#pragma once

#include <cmath>
#include <vector>

#include "harness/spec/param_layout.h"

namespace stepmark {

// 2-norm of the difference between a shard and the same elements of the whole, over theirs.
inline double shard_error(const std::vector<float>& shard, const Param& param,
                          const std::vector<float>& whole) {
  double difference = 0;
  double norm = 0;
  std::size_t next = 0;
  for (const RowRange& range : param.rows) {
    for (std::int64_t row = range.begin; row < range.begin + range.count; ++row) {
      for (std::int64_t col = 0; col < param.cols; ++col) {
        const double expected =
            whole[static_cast<std::size_t>(row * param.global_cols + param.col_begin + col)];
        difference += std::pow(double{shard[next++]} - expected, 2);
        norm += expected * expected;
      }
    }
  }
  return std::sqrt(difference / norm);
}

}  // namespace stepmark
