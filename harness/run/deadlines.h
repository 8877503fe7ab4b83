// SPDX-License-Identifier: Apache-2.0
// How long what a run does may take before its guard ends it, in seconds.
#pragma once

namespace stepmark {

inline constexpr double kDeadlineFactor = 10.0;  // a case may take this often its budget ...
inline constexpr double kDeadlineBase = 120.0;   // ... and this for set-up and checks
inline constexpr double kFailureGrace = 15.0;    // for other ranks to notice a failure

}  // namespace stepmark
