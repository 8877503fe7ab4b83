// SPDX-License-Identifier: Apache-2.0
// The words of `import`: its formats are those of the importers that are built in.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>

#include "harness/cli/commands.h"
#include "harness/cli/words/validators.h"
#include "harness/cli/words/words.h"
#include "harness/spec/limits.h"
#include "results/import/import.h"

namespace stepmark {

void add_import(CLI::App& app, ImportOptionsCli& options, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand("import", "Make a journal of what other benchmarks printed");
  cmd->footer(fmt::format(
      "FORMAT is one of {}; left out, it is seen from the files.\n"
      "Examples:\n"
      "  stepmark import all_reduce.log --out provider-a.smk\n"
      "  stepmark import nccl-tests old.log --collective all_gather --ranks 16 --out old.smk\n\n"
      "Exit code 1 when a tool's own check failed, 3 when a file was cut or a row has no time.",
      fmt::join(import_formats(), ", ")));
  cmd->add_option("files", options.words, "[FORMAT] and the files; of one case, repetitions")
      ->required();
  cmd->add_option("--out", options.out, "Journal to write (FILE.smk)")->required();
  cmd->add_option("--collective", options.collective,
                  "Which collective it is, where the log does not say: all_reduce, ...");
  cmd->add_option("--ranks", options.ranks, "How many ranks there were, where the log does not say")
      ->check(whole(1, kMaxRanks));
  cmd->callback([&options, &chosen] { chosen = [&options] { return import_command(options); }; });
}

}  // namespace stepmark
