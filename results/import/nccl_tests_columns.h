// SPDX-License-Identifier: Apache-2.0
// Columns and rows of nccl-tests' tables. Internal to results/import.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/import/nccl_tests.h"

namespace stepmark::nccl_tests {

// Titles in order: those of the size and what is done, then those of one placement or two.
struct Columns {
  std::vector<std::string> before;
  std::vector<std::vector<std::string>> halves;
  bool timestamp = false;  // two words behind all others
};

// Nothing where the words are no header line; Error(kUsage) for one that lacks a column that is
// needed.
[[nodiscard]] std::optional<Columns> header_columns(const ImportSource& source, int line,
                                                    const std::vector<std::string_view>& words);
// The line below: Error(kUsage) for times and bandwidths in other units.
void check_units(const ImportSource& source, int line, const std::vector<std::string_view>& words);

struct ReadRow {
  bool is_row = false;  // it begins as one
  bool whole = false;   // and has all cells
  Row row;
  std::string broken;
};
[[nodiscard]] ReadRow row_of(const Columns& columns, int line,
                             const std::vector<std::string_view>& words);

}  // namespace stepmark::nccl_tests
