// SPDX-License-Identifier: Apache-2.0
// Which communication ops of different ranks belong together, and whether the whole can finish.
// Both look at classes of ranks (cast.h): where one rank of a class is, all of them are, since
// whatever one meets, the others meet their own of the same class.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "harness/program/cast.h"

namespace stepmark {

using OpPlace = std::pair<std::int32_t, std::int32_t>;  // (class, op index)

struct Matching {
  std::vector<std::string> problems;
  // Meetings: ops that must all be reached before any of them can end. One per collective call, one
  // per message (a send waits for its receive: the strictest, so what passes here passes with
  // any amount of buffering).
  std::vector<std::vector<OpPlace>> meetings;
};

// Each program must have passed the local checks of validate.h (peers and ranks exist).
[[nodiscard]] Matching match_communication(const Classes& classes);

// Plays all classes forward; when nobody can go on, the error names the op each rank is stuck at.
[[nodiscard]] std::vector<std::string> find_deadlock(const Classes& classes,
                                                     const Matching& matching);

}  // namespace stepmark
