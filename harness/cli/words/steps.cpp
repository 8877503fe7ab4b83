// SPDX-License-Identifier: Apache-2.0
// The words of `steps`, which scripts speak to over its standard input.
#include <CLI/CLI.hpp>

#include "harness/cli/commands.h"
#include "harness/cli/words/words.h"

namespace stepmark {

void add_steps(CLI::App& app, StepsOptions& options, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand(
      "steps", "Time steps of one rank on request, for scripts that alternate with others");
  cmd->footer(
      "One JSON line in, one out:\n"
      "  {\"do\": \"prepare\", \"workload\": \"gpt2-124m\", \"plan\": "
      "\"seq=1024,precision=bf16\"}\n"
      "  {\"do\": \"step\", \"count\": 10}   so many steps without waiting in between: seconds "
      "of one\n"
      "  {\"do\": \"release\"}               its memory");
  cmd->add_option("--backend", options.backend, "auto, host or cuda")->capture_default_str();
  cmd->callback([&options, &chosen] { chosen = [&options] { return steps_command(options); }; });
}

}  // namespace stepmark
