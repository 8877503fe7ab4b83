// SPDX-License-Identifier: Apache-2.0
// The words of `export`.
#include <CLI/CLI.hpp>

#include "harness/cli/commands.h"
#include "harness/cli/words/words.h"

namespace stepmark {

void add_export(CLI::App& app, ExportOptions& options, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand("export", "Write a run in a form that others' tools read");
  cmd->footer(
      "Example:\n  stepmark export ccl-bench run.smk --out llama3-8b-stepmark-16gpu "
      "--cluster aws-p5");
  cmd->add_option("format", options.format,
                  "ccl-bench: a workload card and a trace per rank (arXiv 2605.06544)")
      ->required()
      ->check(CLI::IsMember({"ccl-bench"}));
  cmd->add_option("file", options.file, "Journal (FILE.smk)")->required();
  cmd->add_option("--out", options.out, "Folder to write: new, or empty")->required();
  cmd->add_option("--case", options.case_id, "Which step, where the run has several");
  cmd->add_option("--cluster", options.cluster,
                  "Whose links they were: a shipped cluster or a .yaml file");
  cmd->callback([&options, &chosen] { chosen = [&options] { return export_command(options); }; });
}

}  // namespace stepmark
