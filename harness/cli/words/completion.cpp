// SPDX-License-Identifier: Apache-2.0
// The words of `completion`, and those of all other commands for its script.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/output.h"
#include "harness/cli/completion.h"
#include "harness/cli/words/words.h"
#include "results/import/import.h"

namespace stepmark {
namespace {

// The long options of a command that are not among `words` yet.
void add_options(const CLI::App& command, std::vector<std::string>& words) {
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      const std::string word = "--" + name;
      if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
    }
  }
}

}  // namespace

void add_completion(CLI::App& app, std::string& shell, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand("completion", "Print a shell completion script");
  cmd->footer("Example:\n  source <(stepmark completion bash)");
  cmd->add_option("shell", shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
  cmd->callback([&app, &shell, &chosen] {
    chosen = [&app, &shell] {
      std::vector<CommandWords> commands;
      for (const CLI::App* sub : app.get_subcommands({})) {
        CommandWords words{.name = sub->get_name(), .help = sub->get_description(), .options = {}};
        if (words.name == "import") words.options = import_formats();
        for (const CLI::App* part : sub->get_subcommands({})) {
          words.options.push_back(part->get_name());
          add_options(*part, words.options);
        }
        add_options(*sub, words.options);
        commands.push_back(std::move(words));
      }
      write_stdout(completion_script(shell, commands));
      return ExitCode::kOk;
    };
  });
}

}  // namespace stepmark
