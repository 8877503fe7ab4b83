// SPDX-License-Identifier: Apache-2.0
// Doing something on all ranks of a job so that either all go on or all stop. One rank, the lowest
// of those that failed, has the error to show; the others stop quietly.
#pragma once

#include <functional>

#include "core/control.h"
#include "core/error.h"

namespace stepmark {

// Thrown where another rank has the message.
struct QuietStop {
  ExitCode code;
};

// Collective. Rethrows on the lowest failing rank, QuietStop with that rank's code on all others.
void together(Control& control, const std::function<void()>& action);

}  // namespace stepmark
