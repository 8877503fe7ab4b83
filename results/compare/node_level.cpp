// SPDX-License-Identifier: Apache-2.0
// The level follows from which names occur on which side: the same names on both, or not.
#include "results/compare/node_level.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace stepmark {
namespace {

std::vector<std::size_t> indices(std::span<const std::string> names,
                                 std::map<std::string, std::size_t>& known) {
  std::vector<std::size_t> out;
  for (const std::string& name : names) {
    out.push_back(known.emplace(name, known.size()).first->second);
  }
  return out;
}

std::size_t distinct(const std::vector<std::size_t>& nodes) {
  return std::set<std::size_t>(nodes.begin(), nodes.end()).size();
}

bool are_named(std::span<const std::string> names) {
  return !names.empty() &&
         std::none_of(names.begin(), names.end(), [](const auto& name) { return name.empty(); });
}

}  // namespace

std::string_view name_of(Level level) {
  constexpr std::array<std::string_view, 3> kNames = {"runs", "nodes", "node pairs"};
  return kNames.at(static_cast<std::size_t>(level));
}

std::vector<std::string> nodes_of(std::span<const Run> runs) {
  std::vector<std::string> out;
  for (const Run& run : runs) {
    const auto repetitions = static_cast<std::size_t>(std::max(1, run.header.repetitions));
    out.insert(out.end(), repetitions, run.header.environment.get("placement", "ranks by host"));
  }
  return out;
}

NodeLevel node_level(std::span<const std::string> baseline, std::span<const std::string> candidate,
                     std::span<const std::string> history) {
  NodeLevel out;
  if (!are_named(baseline) || !are_named(candidate)) return out;
  std::map<std::string, std::size_t> known;
  out.baseline = indices(baseline, known);
  out.candidate = indices(candidate, known);
  out.baseline_nodes = static_cast<int>(distinct(out.baseline));
  out.candidate_nodes = static_cast<int>(distinct(out.candidate));
  const bool same = std::set(out.baseline.begin(), out.baseline.end()) ==
                    std::set(out.candidate.begin(), out.candidate.end());
  // Where a history's runs were is only looked at if nodes are the unit: a run that does not say is
  // on a node of its own.
  std::vector<std::string> of_history(history.begin(), history.end());
  for (std::size_t i = 0; i < of_history.size(); ++i) {
    if (of_history[i].empty()) of_history[i] = "run " + std::to_string(i);
  }
  out.history = indices(of_history, known);
  out.nodes = known.size();
  if (!same) {
    out.level = Level::nodes;
  } else if (out.baseline_nodes > 1) {
    out.level = Level::node_pairs;
  }
  return out;
}

}  // namespace stepmark
