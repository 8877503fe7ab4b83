// SPDX-License-Identifier: Apache-2.0
// Facts about processor, memory and kernel. Internal to harness/measure.
#pragma once

#include <vector>

#include "results/record/environment.h"

namespace stepmark {

// Groups "hardware", "software" and "placement".
[[nodiscard]] std::vector<EnvironmentFact> machine_facts();

}  // namespace stepmark
