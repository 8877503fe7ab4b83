// SPDX-License-Identifier: Apache-2.0
// What somebody may have meant whose words were not understood.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace stepmark {

// What is wrong with the first word, when that is not a command; else empty.
[[nodiscard]] std::string unknown_command(const CLI::App& app,
                                          const std::vector<std::string>& words);

// "; did you mean 'NAME' instead of 'WORD'?": the nearest subcommand or option to a word that was
// not understood, with what `app` has parsed so far as its place; or empty.
[[nodiscard]] std::string suggestion(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace stepmark
