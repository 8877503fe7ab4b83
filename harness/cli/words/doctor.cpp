// SPDX-License-Identifier: Apache-2.0
// The words of `doctor`.
#include <CLI/CLI.hpp>

#include "harness/cli/commands.h"
#include "harness/cli/words/validators.h"
#include "harness/cli/words/words.h"
#include "harness/spec/limits.h"

namespace stepmark {

void add_doctor(CLI::App& app, DoctorOptions& options, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand("doctor", "Check this machine before measuring on it");
  cmd->add_option("--ranks", options.ranks, "Ranks that shall run on this host")
      ->check(whole(1, kMaxRanks))
      ->capture_default_str();
  cmd->add_flag("--json", options.json, "Print JSON");
  cmd->callback([&options, &chosen] { chosen = [&options] { return doctor_command(options); }; });
}

}  // namespace stepmark
