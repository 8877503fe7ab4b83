// SPDX-License-Identifier: Apache-2.0
// What a history says now: where it became slower or faster, what has been said about that, and
// what is no longer measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "results/history/change_points.h"
#include "results/history/history.h"
#include "results/history/layer.h"

namespace stepmark {

struct ChangedCase {
  std::string case_id, family;
  LevelRatio ratio;  // of times, new over old: above 1 is slower
  double split_p = 1, means_p = 1;
  bool recovered = false;  // the present level is not worse than that before the change
};

struct FactDifference {
  std::string section, name, before, after;  // empty: not there
  bool fingerprint = true;
};

struct Annotation {
  std::int64_t at = 0;
  std::string when, text, made;
  std::int64_t line = 0;  // of this line alone; 0: of all, or not asked for
};

// Cases of a line that changed at the same run, give or take two.
struct HistoryEvent {
  std::int64_t number = 0;  // of an alarm: what `acknowledge` names; 0 for what became faster
  HistoryLine line;
  bool slower = true;
  std::string first_run, first_started;  // of the new level: the first bad run
  std::string last_run, last_started;    // the run before it
  std::string found_run;                 // the run that showed it
  std::vector<ChangedCase> cases;        // the largest first
  ProbableLayer layer;
  std::vector<FactDifference> differences;  // of the environment, last good to first bad run
  std::vector<Annotation> annotations;      // between the two, and of the day before
  bool recovered = false;                   // all cases are
  std::string acknowledged, note;           // when, and what was said; empty: not
  [[nodiscard]] bool is_alarm() const { return slower && !recovered && acknowledged.empty(); }
};

// A case with a time in one of the runs before, and none in the newest of its line.
struct LostCase {
  HistoryLine line;
  std::string case_id, last_run, newest_run, reason;
};

struct CheckResult {
  ChangeOptions options;
  std::vector<HistoryEvent> events;  // the newest first
  std::vector<LostCase> lost;
  std::int64_t runs = 0, series = 0;
  std::int64_t new_points = 0;    // that nobody has looked at yet
  std::int64_t short_series = 0;  // too few points to say anything
  [[nodiscard]] int alarms() const;
  // 1 for alarms, 3 for lost cases, else 0.
  [[nodiscard]] ExitCode exit_code() const;
};

// Looks at the points that are new, so that the next check with these options need not: after many
// runs were added, that takes seconds.
void scan_new_points(const History& history, const ChangeOptions& options = {});

[[nodiscard]] CheckResult check_history(const History& history, const ChangeOptions& options = {});

}  // namespace stepmark
