// SPDX-License-Identifier: Apache-2.0
// A host before anything is measured on it: what is here, what is missing, what is misconfigured,
// what to do about it.
#pragma once

#include <vector>

#include "harness/doctor/finding.h"

namespace stepmark {

// Looks at this host and this binary. `ranks`: how many shall run here.
[[nodiscard]] std::vector<Finding> examine_host(int ranks);

}  // namespace stepmark
