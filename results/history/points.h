// SPDX-License-Identifier: Apache-2.0
// The points of a history, for those who show or export them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "results/history/history.h"

namespace stepmark {

struct HistoryPoint {
  std::string run_id, started;
  std::int64_t at = 0;
  double median = 0, lower = 0, upper = 0;  // NaN: not known
  std::int64_t samples = 0;
  bool counts = false;  // says something about performance
  std::string outcome, remark;
};

struct HistorySeries {
  HistoryLine line;
  std::string case_id, family, unit, work;
  bool lower_is_better = true;
  std::vector<HistoryPoint> points;  // oldest first
};

// Series by series, lines and cases in order: all points, or only the newest run's of each line.
// Of a case that was changed (several works in one line) the newest work comes first.
void each_series(const History& history, bool newest_only,
                 const std::function<void(const HistorySeries&)>& visit);

}  // namespace stepmark
