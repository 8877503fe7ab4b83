// SPDX-License-Identifier: Apache-2.0
#include "harness/backend/machine.h"

namespace stepmark {

std::string gpu_caveat() { return {}; }

}  // namespace stepmark
