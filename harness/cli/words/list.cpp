// SPDX-License-Identifier: Apache-2.0
// The words of `list`.
#include <CLI/CLI.hpp>

#include "harness/cli/commands.h"
#include "harness/cli/words/validators.h"
#include "harness/cli/words/words.h"
#include "harness/spec/limits.h"

namespace stepmark {

void add_list(CLI::App& app, ListOptions& options, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand("list", "List what can be named elsewhere");
  cmd->add_option("what", options.what,
                  "workloads, suites, clusters, gpus, prices, sla, published, cases or backends")
      ->required()
      ->check(CLI::IsMember({"workloads", "suites", "clusters", "gpus", "prices", "sla",
                             "published", "cases", "backends"}));
  cmd->add_option("--suite", options.suite, "Suite whose cases are listed")->capture_default_str();
  cmd->add_option("--ranks", options.ranks, "World size the cases are for")
      ->check(whole(1, kMaxRanks))
      ->capture_default_str();
  cmd->add_flag("--json", options.json, "Print JSON");
  cmd->callback([&options, &chosen] { chosen = [&options] { return list_command(options); }; });
}

}  // namespace stepmark
