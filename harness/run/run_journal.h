// SPDX-License-Identifier: Apache-2.0
// The run's book-keeping on rank 0: the journal, and what is still to be measured. Whatever ends a
// run (the last case, a signal, the watchdog, a full disk), every case asked for has a line, and
// the journal says why it ended. Thread-safe: signal and watchdog threads may call give_up at any
// time.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "results/record/journal.h"

namespace stepmark {

class RunJournal {
 public:
  // `todo`: ids and families of the cases to measure, in order. `later`: those of the repetitions
  // after this one, which get a line when the run is given up.
  struct Item {
    std::string id, family;
    int repetition = 1;  // the same of all to do
  };
  RunJournal(JournalWriter journal, std::vector<Item> todo, std::vector<Item> later = {});

  void begin(const std::string& case_id);
  // Durable when it returns; throws what the journal throws. Error(kEnvironment) too when the
  // journal no longer has its name: the record is then in a copy of it that the message names.
  void finish(const Record& record);
  // Normal end.
  void close(ExitCode code);
  // Writes a not-measured line for the case under way and all that remain, of this repetition and
  // of later ones, and the end line. Never throws; later calls, and later finish/close, do nothing.
  // Returns a sentence about what was kept.
  std::string give_up(const std::string& reason, ExitCode code) noexcept;

  // "2 of 4 cases are kept in 'run.smk'; continue with: ..."
  [[nodiscard]] std::string kept() const;
  [[nodiscard]] std::string current() const;
  [[nodiscard]] const std::string& path() const { return journal_.path(); }

 private:
  void rescue();
  [[nodiscard]] std::string kept_so_far() const;

  mutable std::mutex mutex_;
  JournalWriter journal_;
  std::vector<Item> todo_, later_;
  std::size_t done_ = 0;
  std::string current_;
  bool closed_ = false;
};

// In the place of a rank 0 that is gone without a word, or of a repetition that did not start: a
// not-measured line for every case of every repetition without one, and the end line. Returns a
// sentence about what was kept; it may be ended already. Throws what the journal throws.
std::string end_abandoned_journal(const std::string& path, const std::string& reason,
                                  ExitCode code);

}  // namespace stepmark
