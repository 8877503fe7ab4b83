// SPDX-License-Identifier: Apache-2.0
// What the devices did while cases were sampled. Internal to results/views/table.
#pragma once

#include <string>

#include "results/record/journal.h"

namespace stepmark {

// Power, clocks, energy and throttling of every case in which a device told of them.
[[nodiscard]] std::string device_table(const Run& run);

}  // namespace stepmark
