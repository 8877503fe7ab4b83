// SPDX-License-Identifier: Apache-2.0
// Names are compared by core/yaml's edit distance, options with options and commands with commands.
#include "harness/cli/suggestion.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/yaml.h"

namespace stepmark {
namespace {

// "out" of "--out=x": what all options have in common makes none the nearer.
std::string name_in(std::string_view word) {
  word.remove_prefix(std::min(word.find_first_not_of('-'), word.size()));
  return std::string(word.substr(0, word.find('=')));
}

// An option that is already given cannot be what was meant.
std::vector<std::string> not_given(const std::vector<std::string>& options,
                                   const std::vector<std::string>& words) {
  std::vector<std::string> free;
  std::copy_if(options.begin(), options.end(), std::back_inserter(free), [&](const auto& name) {
    return std::none_of(words.begin(), words.end(), [&](const std::string& word) {
      return word == "--" + name || word.starts_with("--" + name + "=");
    });
  });
  return free;
}

}  // namespace

std::string unknown_command(const CLI::App& app, const std::vector<std::string>& words) {
  if (words.empty() || words.front().substr(0, 1) == "-") return {};
  std::string known;
  for (const CLI::App* sub : app.get_subcommands({})) {
    if (sub->get_name() == words.front()) return {};
    known += (known.empty() ? "" : ", ") + sub->get_name();
  }
  return fmt::format("there is no command '{}', but: {}", words.front(), known);
}

std::string suggestion(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* scope = &app;
  std::size_t depth = 0;  // words that were commands
  for (; !scope->get_subcommands().empty(); ++depth) scope = scope->get_subcommands().back();
  std::vector<std::string> commands, options;
  for (const CLI::App* sub : scope->get_subcommands({})) commands.push_back(sub->get_name());
  for (const CLI::Option* option : scope->get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back(name);
  }
  for (const std::string& word : words) {
    const bool is_option = word.starts_with("-");
    const std::size_t place = static_cast<std::size_t>(&word - words.data());
    if (!is_option && (place != depth || commands.empty())) continue;  // a value, or understood
    const std::string name = name_in(word);
    const std::string dashes = is_option ? "--" : "";
    const auto& known = is_option ? options : commands;
    const bool is_known = std::find(known.begin(), known.end(), name) != known.end();
    if (is_known && word.starts_with(dashes + name)) continue;
    const auto nearest = nearest_name(name, is_option ? not_given(options, words) : commands);
    if (!nearest.empty()) {
      return fmt::format("; did you mean '{}{}' instead of '{}'?", dashes, nearest, word);
    }
  }
  return {};
}

}  // namespace stepmark
