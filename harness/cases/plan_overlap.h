// SPDX-License-Identifier: Apache-2.0
// What of a plan's program stands beside each other in family `overlap`: its largest GEMM, and the
// call that moves most in a group. Internal to harness/cases.
#pragma once

#include <optional>
#include <string>

#include "core/control.h"
#include "harness/program/program.h"

namespace stepmark {

struct PlanSides {
  OpShape gemm;                   // writes over its result, so that it can be repeated
  std::optional<CommShape> comm;  // without peers and root; none: nobody talks in the group
  int group_ranks = 1;            // of those that talk
};
// The same on all ranks, from every rank's program of one plan, before fusing. What is equal but
// for peers counts as one call. Collective.
[[nodiscard]] PlanSides sides_of_plan(Control& control, const Program& unfused,
                                      const std::string& group);

}  // namespace stepmark
