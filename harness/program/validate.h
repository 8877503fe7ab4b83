// SPDX-License-Identifier: Apache-2.0
// Checks the programs of all ranks together, without running anything: in range and in order, every
// group sees the same collectives in the same order, sends match receives in size and type, nothing
// waits in a circle. Errors show what every rank of the group would do at the place of the mistake.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "harness/program/cast.h"

namespace stepmark {

// Problems found, most basic first; empty = valid. Later checks run only when earlier ones pass.
[[nodiscard]] std::vector<std::string> problems(std::span<const Program> programs);
// The same of a world in which several ranks play one role: all ranks are looked at, through their
// roles. That a program stands for the other ranks of its role is the caller's word; that their
// groups let it is checked.
[[nodiscard]] std::vector<std::string> problems(const Cast& cast);
// Error(kUsage) with the problems when there are any.
void validate(std::span<const Program> programs);
void validate(const Cast& cast);

}  // namespace stepmark
