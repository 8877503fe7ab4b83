// SPDX-License-Identifier: Apache-2.0
// Leaves by path ("plan.tp", "cases[2].dtypes[0]"). What cannot be read is one leaf, the whole
// text: two such texts still differ or not.
#include "core/yaml_leaves.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <stdexcept>

namespace stepmark {
namespace {

using Leaves = std::vector<std::pair<std::string, std::string>>;

// The bounds of core/yaml.cpp: aliases can make a small text describe an endless tree.
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxLeaves = 100'000;

void collect(const YAML::Node& node, const std::string& path, int depth, Leaves& leaves) {
  if (depth > kMaxDepth || leaves.size() > kMaxLeaves) throw std::length_error("too large");
  if (node.IsMap()) {
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
      collect(entry.second, path.empty() ? key : fmt::format("{}.{}", path, key), depth + 1,
              leaves);
    }
  } else if (node.IsSequence()) {
    std::size_t index = 0;
    for (const auto& item : node) {
      collect(item, fmt::format("{}[{}]", path, index++), depth + 1, leaves);
    }
  } else {
    leaves.emplace_back(path, node.IsScalar() ? node.Scalar() : std::string());
  }
}

}  // namespace

Leaves yaml_leaves(std::string_view text) {
  try {
    Leaves leaves;
    collect(YAML::Load(std::string(text)), "", 0, leaves);
    return leaves;
  } catch (const std::exception&) {
    return {{"", std::string(text)}};
  }
}

}  // namespace stepmark
