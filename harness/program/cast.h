// SPDX-License-Identifier: Apache-2.0
// Who plays what in a world of ranks. Ranks whose programs differ in nothing that others notice
// (where their shard begins, who their peers are) play one role, and one program stands for all of
// them: a world of thousands of ranks has a handful of roles, and is checked whole through them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "harness/program/program.h"
#include "harness/spec/step_groups.h"

namespace stepmark {

// The groups of an axis, each as global ranks; no rank is in two of them.
struct AxisGroups {
  std::string axis;
  std::vector<std::vector<std::int32_t>> groups;
};

struct Cast {
  std::vector<const Program*> programs;  // by role: of one of the ranks that play it
  std::vector<std::int32_t> role_of;     // by rank of the world
  std::vector<AxisGroups> axes;
};

// Every program plays its own role. The programs' groups must agree with each other.
[[nodiscard]] Cast cast_of(std::span<const Program> programs);

// All groups in which the ranks of a step talk.
[[nodiscard]] std::vector<AxisGroups> groups_of(const StepGroups& groups);

// Ranks of one class stand in groups of the same classes in the same order, on every axis: they
// make the same progress. The coarsest classes of that kind within roles.
struct Classes {
  std::vector<const Program*> programs;  // by class
  std::vector<std::int32_t> class_of;    // by rank
  // The distinct groups by axis and classes; `ranks` are those of the first such group.
  struct Formation {
    std::string axis;
    std::vector<std::int32_t> classes;  // by index in the group
    std::vector<std::int32_t> ranks;
  };
  std::vector<Formation> formations;
};
[[nodiscard]] Classes classes_of(const Cast& cast);

}  // namespace stepmark
