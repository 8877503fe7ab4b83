// SPDX-License-Identifier: Apache-2.0
// A history: medians of many runs in one file (SQLite), which several processes may use at the same
// time. Runs are compared within a line: one suite at one place by one backend on so many ranks,
// and of one provenance, so that what was imported or simulated never stands beside what was
// measured. docs/history.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "results/record/journal.h"

namespace stepmark {

class Database;

struct HistoryLine {
  std::int64_t id = 0;
  std::string suite, place, backend;
  int ranks = 0;
  std::string provenance;
};

struct HistoryRun {
  std::int64_t id = 0;
  std::string run_id;
  HistoryLine line;
  std::int64_t at = 0;  // seconds since 1970 UTC at which it began: the order of runs
  std::string started;  // the same as the journal writes it
  std::string added, file, tool_version, git_revision;
  bool ended = false;
  int exit_code = -1;
  int cases = 0, measured = 0;  // asked for; those whose median counts
};

struct AddOptions {
  std::string place;  // empty: what the journal says
  std::string time;   // ISO 8601 UTC, when the run took place; empty: when its journal began
};

enum class Added : std::uint8_t { added, grown, known };
struct AddResult {
  Added what = Added::added;
  std::int64_t points = 0;  // that are new
  HistoryRun run;
  bool place_guessed = false;
};

class History {
 public:
  enum class Open : std::uint8_t { existing, create };
  // Error(kUsage) for a file that is no history, damaged, of a later version, or (existing) absent.
  History(const std::string& path, Open how);
  History(History&&) noexcept;
  History& operator=(History&&) noexcept;
  ~History();

  // One journal, whole or not at all. A run that is there already is left as it is (`known`), or
  // gets the cases that its journal has had since (`grown`). Error(kUsage) where a run of that id
  // has other figures here, where the same figures are here under another id (a copy counted twice
  // would look like a repetition that agrees), for several provenances in one journal, and for one
  // whose lines do not fit their hashes.
  AddResult add(const Run& run, const AddOptions& options = {});

  // In the order of time; of all lines, or the newest `last` of each.
  [[nodiscard]] std::vector<HistoryRun> runs(int last = 0) const;
  [[nodiscard]] std::vector<HistoryLine> lines() const;

  [[nodiscard]] const Database& database() const { return *database_; }

 private:
  std::unique_ptr<Database> database_;
};

// "2026-11-29T02:00:00Z" or "2026-11-29" as seconds since 1970 UTC. Error(kUsage) for anything else
// and for what is before 1970.
[[nodiscard]] std::int64_t parse_utc(const std::string& text);
[[nodiscard]] std::string utc_text(std::int64_t at);

}  // namespace stepmark
