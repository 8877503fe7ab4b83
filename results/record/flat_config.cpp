// SPDX-License-Identifier: Apache-2.0
// Files in the echo are taken apart into their YAML leaves, so that a difference is named by its
// key and not by two files. Identity leaves out what only decides how long is measured.
#include "results/record/flat_config.h"

#include <fmt/format.h>

#include <map>

#include "core/yaml_leaves.h"
#include "results/record/json_text.h"

namespace stepmark {
namespace {

constexpr const char* kFile = "_file";

void add_file(const std::string& name, const std::string& text, FlatConfig& flat) {
  for (auto& [path, value] : yaml_leaves(text)) {
    flat.emplace_back(path.empty() ? name : fmt::format("{}: {}", name, path), std::move(value));
  }
}

void add(const std::string& key, const nlohmann::json& value, FlatConfig& flat) {
  if (key.ends_with(kFile) && value.is_string()) {
    const std::string name = key.substr(0, key.size() - std::string(kFile).size());
    add_file(name + " file", value.get<std::string>(), flat);
  } else if (key == "workloads" && value.is_object()) {
    for (const auto& [name, text] : value.items()) {
      if (text.is_string()) add_file("workload " + name, text.get<std::string>(), flat);
    }
  } else {
    flat.emplace_back(key, value.is_string() ? value.get<std::string>() : json_text(value));
  }
}

std::map<std::string, std::string> by_key(const FlatConfig& flat) {
  return {flat.begin(), flat.end()};
}

std::optional<std::string> find(const std::map<std::string, std::string>& map,
                                const std::string& key) {
  const auto at = map.find(key);
  return at == map.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace

FlatConfig flatten_config(const nlohmann::json& echo) {
  FlatConfig flat;
  for (const auto& [key, value] : echo.items()) add(key, value, flat);
  return flat;
}

FlatConfig config_identity(const nlohmann::json& echo) {
  FlatConfig flat = flatten_config(echo);
  std::erase_if(flat, [](const auto& entry) {
    const std::string& key = entry.first;
    for (const char* name :
         {"budget_s", "repeat_over_s", "precision", "case_deadline_s", "start_deadline_s"}) {
      if (key == name) return true;
    }
    for (const char* name : {": budget", ": precision", ": description", ": repeat"}) {
      if (key.ends_with(name)) return true;
    }
    return false;
  });
  return flat;
}

std::optional<ConfigDifference> first_difference(const FlatConfig& a, const FlatConfig& b) {
  const auto in_a = by_key(a);
  const auto in_b = by_key(b);
  for (const FlatConfig* flat : {&a, &b}) {
    for (const auto& [key, value] : *flat) {
      ConfigDifference difference{.key = key, .a = find(in_a, key), .b = find(in_b, key)};
      if (difference.a != difference.b) return difference;
    }
  }
  return std::nullopt;
}

std::string shown_value(const std::optional<std::string>& value) {
  constexpr std::size_t kLongest = 200;
  if (!value) return "nothing";
  if (value->size() <= kLongest) return fmt::format("'{}'", *value);
  return fmt::format("'{}...'", value->substr(0, kLongest));
}

}  // namespace stepmark
