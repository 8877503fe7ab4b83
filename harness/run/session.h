// SPDX-License-Identifier: Apache-2.0
// One repetition of a run in one process: the job, the agreement of its ranks, their devices, the
// journal, the cases, the end. Whatever happens on the way, the guard ends it in order.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "harness/backend/machine.h"
#include "harness/cases/case.h"
#include "harness/run/case_loop.h"
#include "harness/run/config.h"
#include "harness/run/guard.h"
#include "harness/run/launch.h"
#include "harness/run/opened_journal.h"
#include "harness/run/options.h"
#include "harness/run/peers.h"
#include "harness/run/repeat.h"
#include "results/record/flat_config.h"

namespace stepmark {

class RunSession {
 public:
  // `repeat` outlives the session and may start the next one.
  RunSession(const RunOptions& options, Repeat& repeat) : options_(options), repeat_(repeat) {}

  ExitCode execute();

 private:
  // A run under way that cannot go on, such as with a full disk: what has no result gets a line,
  // as far as it can be written, and the message says where the run was.
  void give_up(const std::string& reason, ExitCode code);
  void check_launch(const Launch& launch);
  // Reads the configuration and compares it, and everything else that must be equal, between ranks.
  void agree();
  void append_notes(FlatConfig& notes) const;
  ExitCode measure();
  void open_devices();
  void announce() const;
  void find_peaks();

  Control& control() { return job_->control(); }
  [[nodiscard]] bool is_root() { return control().rank() == 0; }

  const RunOptions& options_;
  Repeat& repeat_;
  std::optional<Peers> peers_;
  OpenedJournal journal_;
  RunGuard guard_;
  std::unique_ptr<Job> job_;
  Resources resources_;
  RunConfig config_;
  std::unique_ptr<Machine> machine_;
  PeakReference reference_;
  DevicePeaks peaks_;
  LinkReference links_;
};

}  // namespace stepmark
