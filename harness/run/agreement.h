// SPDX-License-Identifier: Apache-2.0
// Ranks compare notes before anything else: that all run the same program with the same options on
// the same configuration. Ranks that differ would wait for each other in different cases, or read
// messages of other sizes than were sent.
#pragma once

#include <string_view>

#include "core/control.h"
#include "results/record/flat_config.h"

namespace stepmark {

// This program (version, revision, build type, hash of the binary, journal schema) and the
// environment variables that have to be the same on all ranks.
[[nodiscard]] FlatConfig program_notes();

// Whether a variable decides what ranks do together, and not what is near one of them (such as the
// network device of its host, or its log file).
[[nodiscard]] bool variable_must_agree(std::string_view name);

// Collective. When any two ranks differ: Error(kUsage) on rank 0, which names the first key that
// differs and who has what, and QuietStop on all others. What every rank sends until then has a
// fixed size, whatever it knows.
void compare_notes(Control& control, const FlatConfig& notes);

// The key under which a rank notes why it cannot run, or that it can.
constexpr const char* kReady = "ready to run";

}  // namespace stepmark
