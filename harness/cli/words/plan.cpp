// SPDX-License-Identifier: Apache-2.0
// The words of `plan`.
#include <CLI/CLI.hpp>

#include "harness/cli/commands.h"
#include "harness/cli/words/validators.h"
#include "harness/cli/words/words.h"
#include "harness/spec/limits.h"

namespace stepmark {

void add_plan(CLI::App& app, PlanOptions& options, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand("plan", "Say what a plan will do, or why it is impossible");
  cmd->footer(
      "Examples:\n"
      "  stepmark plan --workload llama3-70b --plan tp=8,dp=2 --ranks 16 --cluster "
      "az-nd-h100-v5\n"
      "  stepmark plan --workload tiny --plan tp=2 --ranks 4 --program 0\n"
      "  stepmark plan --list --workload llama3-405b --cluster aws-p5 --nodes 2048 --global-batch "
      "2048 --fits");
  cmd->add_option("--workload", options.workload, "Shipped workload or .yaml file")->required();
  cmd->add_option("--plan", options.plan, "dp=2,tp=2,sp=on,zero=1,...");
  cmd->add_option("--ranks", options.ranks, "World size")
      ->check(whole(1, kMaxRanks))
      ->capture_default_str();
  cmd->add_option("--cluster", options.cluster, "Shipped cluster or .yaml file: does it fit?");
  cmd->add_option("--backend", options.backend,
                  "Whose padding: auto (the cluster's, else what run takes here), host or cuda")
      ->check(CLI::IsMember({"auto", "host", "cuda"}))
      ->capture_default_str();
  cmd->add_option("--program", options.program_of, "Print the program of this rank as text")
      ->check(whole(0, kMaxRanks - 1));
  CLI::Option* list =
      cmd->add_flag("--list", options.list, "All legal plans, with memory, bytes sent and bubble")
          ->excludes("--program");
  cmd->add_flag("--fits", options.fits, "Of a list: what the cluster has the memory for")
      ->needs(list);
  cmd->add_option("--nodes", options.nodes, "Of the cluster, instead of --ranks")
      ->check(whole(1, kMaxRanks))
      ->excludes("--ranks");
  cmd->add_option("--global-batch", options.global_batch,
                  "Of a list: sequences per step (default: those of the workload's plan)")
      ->needs(list)
      ->check(whole(1, kMaxMicroBatch));
  cmd->add_option("--top", options.top, "Of a list: how many are shown; 0: all")
      ->needs(list)
      ->check(whole(0, kMaxMicroBatch))
      ->capture_default_str();
  cmd->add_flag("--json", options.json, "Print JSON");
  cmd->callback([&options, &chosen] { chosen = [&options] { return plan_command(options); }; });
}

}  // namespace stepmark
