// SPDX-License-Identifier: Apache-2.0
// A run's configuration as keys and values, to say in which of them two configurations differ:
// between ranks (harness/run/agreement.h), between a journal and the run that shall continue it,
// and between a journal's parts.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stepmark {

using FlatConfig = std::vector<std::pair<std::string, std::string>>;  // key, value; in order

// `echo` is RunHeader::config. Files in it are taken apart: {"suite file: cases[0].min", "4KiB"}.
[[nodiscard]] FlatConfig flatten_config(const nlohmann::json& echo);

// What of it makes it another run: how long and how precisely it is measured, how often, and how it
// is described, do not. The same for `run --resume` and for whoever reads what that wrote.
[[nodiscard]] FlatConfig config_identity(const nlohmann::json& echo);

// The first key, in the order of `a` and then of what only `b` has, whose values differ.
struct ConfigDifference {
  std::string key;
  std::optional<std::string> a, b;  // nothing: the key is not there
};
[[nodiscard]] std::optional<ConfigDifference> first_difference(const FlatConfig& a,
                                                               const FlatConfig& b);

// In quotes and short enough for a message; "nothing" for a key that is not there.
[[nodiscard]] std::string shown_value(const std::optional<std::string>& value);

}  // namespace stepmark
