// SPDX-License-Identifier: Apache-2.0
// Shell completion from the command line's own grammar, so that it cannot fall behind.
#pragma once

#include <string>
#include <vector>

namespace stepmark {

struct CommandWords {
  std::string name;
  std::string help;
  std::vector<std::string> options;  // "--suite", ...
};

// `shell`: "bash" or "zsh". Names of workloads, suites and clusters are asked of `stepmark list`
// when they are completed.
[[nodiscard]] std::string completion_script(const std::string& shell,
                                            const std::vector<CommandWords>& commands);

}  // namespace stepmark
