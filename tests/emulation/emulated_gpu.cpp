// SPDX-License-Identifier: Apache-2.0
// What a binary linked with the emulated GPU says of it.
#include "harness/backend/machine.h"

namespace stepmark {

std::string gpu_caveat() { return "emulated-gpu"; }

}  // namespace stepmark
