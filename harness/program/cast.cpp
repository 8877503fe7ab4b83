// SPDX-License-Identifier: Apache-2.0
// Partition refinement: classes of ranks are split by the classes that they meet in their groups
// until nothing splits any more; groups that then look alike are looked at once.
#include "harness/program/cast.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace stepmark {
namespace {

// Numbers things in the order in which they come.
template <class Key>
class Numbering {
 public:
  std::int32_t of(Key key) {
    const auto next = static_cast<std::int32_t>(numbers_.size());
    return numbers_.try_emplace(std::move(key), next).first->second;
  }
  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(numbers_.size()); }

 private:
  std::map<Key, std::int32_t> numbers_;
};

std::vector<std::int32_t> classes_in(const std::vector<std::int32_t>& group,
                                     const std::vector<std::int32_t>& class_of) {
  std::vector<std::int32_t> classes;
  classes.reserve(group.size());
  for (const std::int32_t rank : group) {
    classes.push_back(class_of[static_cast<std::size_t>(rank)]);
  }
  return classes;
}

// Tells ranks of a class apart that stand in different groups; returns the number of classes.
std::int32_t refine(const Cast& cast, std::vector<std::int32_t>& class_of) {
  std::vector<std::int32_t> finer = class_of;
  for (const AxisGroups& axis : cast.axes) {
    Numbering<std::vector<std::int32_t>> formations;
    Numbering<std::pair<std::int32_t, std::int32_t>> pairs;
    std::vector<std::int32_t> formation_of(class_of.size(), -1);
    for (const auto& group : axis.groups) {
      const std::int32_t formation = formations.of(classes_in(group, class_of));
      for (const std::int32_t rank : group) {
        formation_of[static_cast<std::size_t>(rank)] = formation;
      }
    }
    for (std::size_t r = 0; r < finer.size(); ++r) {
      finer[r] = pairs.of({finer[r], formation_of[r]});
    }
  }
  class_of = std::move(finer);
  return class_of.empty() ? 0 : *std::max_element(class_of.begin(), class_of.end()) + 1;
}

}  // namespace

Cast cast_of(std::span<const Program> programs) {
  Cast cast;
  cast.role_of.resize(programs.size());
  std::iota(cast.role_of.begin(), cast.role_of.end(), 0);
  for (const Program& program : programs) {
    cast.programs.push_back(&program);
    for (const Group& group : program.groups) {
      if (group.index != 0) continue;
      const auto found = std::find_if(cast.axes.begin(), cast.axes.end(),
                                      [&](const AxisGroups& a) { return a.axis == group.axis; });
      AxisGroups& axis = found != cast.axes.end()
                             ? *found
                             : cast.axes.emplace_back(AxisGroups{.axis = group.axis, .groups = {}});
      axis.groups.push_back(group.ranks);
    }
  }
  return cast;
}

std::vector<AxisGroups> groups_of(const StepGroups& groups) {
  std::vector<AxisGroups> result;
  for (const std::string& name : groups.names()) {
    result.push_back({.axis = name, .groups = groups.all(name)});
  }
  return result;
}

Classes classes_of(const Cast& cast) {
  Classes result{.programs = {}, .class_of = cast.role_of, .formations = {}};
  auto before = static_cast<std::int32_t>(cast.programs.size());
  for (;;) {
    const std::int32_t now = refine(cast, result.class_of);
    if (std::exchange(before, now) == now) break;
  }
  result.programs.resize(static_cast<std::size_t>(before), nullptr);
  for (std::size_t r = 0; r < cast.role_of.size(); ++r) {
    result.programs[static_cast<std::size_t>(result.class_of[r])] =
        cast.programs[static_cast<std::size_t>(cast.role_of[r])];
  }
  for (const AxisGroups& axis : cast.axes) {
    Numbering<std::vector<std::int32_t>> seen;
    for (const auto& group : axis.groups) {
      std::vector<std::int32_t> classes = classes_in(group, result.class_of);
      const std::int32_t known = seen.size();
      if (seen.of(classes) < known) continue;
      result.formations.push_back(
          {.axis = axis.axis, .classes = std::move(classes), .ranks = group});
    }
  }
  return result;
}

}  // namespace stepmark
