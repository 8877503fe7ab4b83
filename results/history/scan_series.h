// SPDX-License-Identifier: Apache-2.0
// The series of a history with their changes, kept in the file: a check looks only at what is new.
// Internal to results/history.
#pragma once

#include <cstdint>
#include <vector>

#include "results/history/change_points.h"
#include "results/history/database.h"

namespace stepmark {

// A place in the order of runs: a time, and among runs of one second the one that was added first.
struct RunPlace {
  std::int64_t at = 0, run = 0;
  bool operator==(const RunPlace&) const = default;
  bool operator<(const RunPlace& other) const {
    return at < other.at || (at == other.at && run < other.run);
  }
};

// Brings all series up to date, in the caller's transaction. Returns how many points were looked
// at.
std::int64_t scan_all_series(const Database& database, const ChangeOptions& options);

// Medians that count of a series from `from` on and before `to`; at most `most`, the last of them.
[[nodiscard]] std::vector<double> medians_between(const Database& database, std::int64_t series,
                                                  const RunPlace& from, const RunPlace& to,
                                                  std::size_t most);

}  // namespace stepmark
