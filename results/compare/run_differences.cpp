// SPDX-License-Identifier: Apache-2.0
// Facts of both runs by section and name; what only one has differs from nothing.
#include "results/compare/run_differences.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "results/record/json_text.h"

namespace stepmark {
namespace {

// Run-level facts and the configuration as facts like those of the environment.
std::vector<EnvironmentFact> all_facts(const Run& run) {
  const auto& h = run.header;
  std::vector<EnvironmentFact> out = {
      {"run", "suite", h.suite},
      {"run", "backend", h.backend},
      {"run", "ranks", fmt::format("{}", h.ranks)},
      {"run", "stepmark version", h.tool_version},
      {"run", "git revision", h.git_revision + (h.dirty ? " (modified tree)" : "")},
      {"run", "build type", h.build_type}};
  if (h.config.is_object() || h.config.is_array()) {
    const auto flat = h.config.flatten();
    for (const auto& [path, value] : flat.items()) {
      out.push_back(
          {"config", path, value.is_string() ? value.get<std::string>() : json_text(value)});
    }
  }
  out.insert(out.end(), h.environment.facts.begin(), h.environment.facts.end());
  return out;
}

}  // namespace

std::vector<Difference> differences(const Run& a, const Run& b) {
  std::vector<Difference> out;
  std::map<std::pair<std::string, std::string>, EnvironmentFact> others;
  for (auto& fact : all_facts(b)) {
    others.emplace(std::pair(fact.section, fact.name), fact);
  }
  for (const auto& fact : all_facts(a)) {
    auto other = others.extract({fact.section, fact.name});
    const auto value = other.empty() ? std::string{} : other.mapped().value;
    if (value != fact.value) {
      out.push_back({fact.section, fact.name, fact.value, value, fact.fingerprint});
    }
  }
  for (const auto& [key, fact] : others) {
    out.push_back({fact.section, fact.name, "", fact.value, fact.fingerprint});
  }
  std::stable_sort(out.begin(), out.end(), [](const Difference& x, const Difference& y) {
    return x.fingerprint > y.fingerprint;
  });
  return out;
}

}  // namespace stepmark
