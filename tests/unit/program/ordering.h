// SPDX-License-Identifier: Apache-2.0
// A brute-force judge of a program's dependencies: which ops surely end before an op begins, from
// stream order and declared waits alone, and which pairs of ops need such an order.
#pragma once

#include <string>
#include <vector>

#include "harness/program/program.h"

namespace stepmark {

// before[i][j]: op j has ended when op i begins, by stream order and waits, transitively.
inline std::vector<std::vector<bool>> ended_before(const Program& program) {
  const std::size_t n = program.ops.size();
  std::vector<std::vector<bool>> before(n, std::vector<bool>(n, false));
  std::vector<std::int32_t> last(program.streams.size(), -1);
  for (std::size_t i = 0; i < n; ++i) {
    const auto inherit = [&](std::int32_t from) {
      const auto j = static_cast<std::size_t>(from);
      for (std::size_t k = 0; k < j; ++k) {
        if (before[j][k]) before[i][k] = true;
      }
      before[i][j] = true;
    };
    const Op& op = program.ops[i];
    for (const std::int32_t dep : op.deps) inherit(dep);
    auto& previous = last[static_cast<std::size_t>(op.stream)];
    if (previous >= 0) inherit(previous);
    previous = static_cast<std::int32_t>(i);
  }
  return before;
}

// Access of an operand of an op; `in` where it is only read.
inline bool writes(const Op& op, std::size_t operand) {
  if (op.kernel) return access_of(*op.kernel, operand) != Access::in;
  return operand == 1;
}

inline bool conflict(const Op& a, const Op& b) {
  for (std::size_t i = 0; i < a.operands.size(); ++i) {
    for (std::size_t j = 0; j < b.operands.size(); ++j) {
      const BufferSlice& x = a.operands[i];
      const BufferSlice& y = b.operands[j];
      const bool overlap = x.buffer >= 0 && x.buffer == y.buffer &&
                           x.offset < y.offset + y.elements && y.offset < x.offset + x.elements;
      if (overlap && (writes(a, i) || writes(b, j))) return true;
    }
  }
  return false;
}

// Pairs of ops that touch the same memory, one of them writing, with nothing to order them.
inline std::vector<std::string> races(const Program& program) {
  const auto before = ended_before(program);
  std::vector<std::string> found;
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!before[i][j] && conflict(program.ops[i], program.ops[j])) {
        found.push_back(program.ops[j].label + " and " + program.ops[i].label);
      }
    }
  }
  return found;
}

}  // namespace stepmark
