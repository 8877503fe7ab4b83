// SPDX-License-Identifier: Apache-2.0
// Calls that may never return (waiting for a rank that died), with a limit.
#pragma once

#include <functional>

namespace stepmark {

// Runs `work` in a thread of its own and waits for at most `seconds`. True: it returned; what it
// threw is rethrown here. False: it did not return in time; its thread is left behind for good, so
// `work` must own what it touches, and the process should end soon.
[[nodiscard]] bool run_with_deadline(double seconds, std::function<void()> work);

}  // namespace stepmark
