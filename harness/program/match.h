// SPDX-License-Identifier: Apache-2.0
// Which communication ops of different ranks belong together, and whether the whole can finish.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "harness/program/program.h"

namespace stepmark {

using OpPlace = std::pair<std::int32_t, std::int32_t>;  // (rank, op index)

struct Matching {
  std::vector<std::string> problems;
  // Meetings: ops that must all be reached before any of them can end. One per collective call, one
  // per message (a send waits for its receive: the strictest, so what passes here passes with
  // any amount of buffering).
  std::vector<std::vector<OpPlace>> meetings;
};

// Each program must have passed the local checks of validate.h (peers and ranks exist).
[[nodiscard]] Matching match_communication(std::span<const Program> programs);

// Plays all ranks forward; when nobody can go on, the error names the op each rank is stuck at.
[[nodiscard]] std::vector<std::string> find_deadlock(std::span<const Program> programs,
                                                     const Matching& matching);

}  // namespace stepmark
