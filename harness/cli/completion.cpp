// SPDX-License-Identifier: Apache-2.0
// A bash function whose words are filled in from the parser's own commands and options; zsh runs
// the same function through its compatibility layer.
#include "harness/cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stepmark {
namespace {

// Placeholders @COMMANDS@ and @CASES@ are filled in; the rest is shell.
constexpr std::string_view kScript = R"sh(_stepmark() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" words=""
  case "$previous" in
    --suite|--workload|--cluster)
      words="$(stepmark list "${previous#--}s" 2>/dev/null | awk 'NR > 1 { print $1 }')"
      COMPREPLY=($(compgen -W "$words" -f -- "$current")); return ;;
    --backend) COMPREPLY=($(compgen -W "auto host cuda" -- "$current")); return ;;
    --out|--html|--csv|--trace) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "@COMMANDS@ --help --version" -- "$current")); return
  fi
  case "${COMP_WORDS[1]}" in
@CASES@  esac
  case "${COMP_WORDS[1]}" in
    list) words="$words workloads suites clusters gpus cases backends" ;;
    completion) words="$words bash zsh" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -f -- "$current"))
}
complete -F _stepmark stepmark
)sh";

void replace(std::string& text, std::string_view placeholder, const std::string& value) {
  text.replace(text.find(placeholder), placeholder.size(), value);
}

}  // namespace

std::string completion_script(const std::string& shell, const std::vector<CommandWords>& commands) {
  std::vector<std::string> names;
  std::string cases;
  for (const CommandWords& command : commands) {
    names.push_back(command.name);
    cases +=
        fmt::format("    {}) words=\"{}\" ;;\n", command.name, fmt::join(command.options, " "));
  }
  std::string script(kScript);
  replace(script, "@COMMANDS@", fmt::format("{}", fmt::join(names, " ")));
  replace(script, "@CASES@", cases);
  // zsh runs the bash function through its own compatibility layer.
  return shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" + script : script;
}

}  // namespace stepmark
