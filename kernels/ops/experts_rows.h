// SPDX-License-Identifier: Apache-2.0
// Where rows of experts lie, by their counts: what references and kernels share.
#pragma once

#include <cstdint>

namespace stepmark {

// Calls use(rank, expert, row as it arrives, row by expert, rows) for each run of rows that one
// rank has for one expert. counts(rank, expert): rows.
template <class Counts, class Use>
void for_each_run(std::int64_t ranks, std::int64_t experts, std::int64_t capacity, Counts counts,
                  Use use) {
  std::int64_t sorted = 0;
  for (std::int64_t e = 0; e < experts; ++e) {
    std::int64_t packed = 0;  // rows of the ranks before
    for (std::int64_t w = 0; w < ranks; ++w) {
      std::int64_t arrived = capacity > 0 ? w * capacity : packed;
      for (std::int64_t before = 0; before < e; ++before) arrived += counts(w, before);
      for (std::int64_t each = 0; each < experts; ++each) packed += counts(w, each);
      const std::int64_t rows = counts(w, e);
      use(w, e, arrived, sorted, rows);
      sorted += rows;
    }
  }
}

}  // namespace stepmark
