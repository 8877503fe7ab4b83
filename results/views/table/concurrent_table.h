// SPDX-License-Identifier: Apache-2.0
// Blocks of a run's table: what work at the same time costs, and what the devices did meanwhile.
// Internal to results/table. Each is empty where the run has no such case.
#pragma once

#include <string>

#include "results/record/journal.h"

namespace stepmark {

[[nodiscard]] std::string groups_table(const Run& run);
[[nodiscard]] std::string overlap_table(const Run& run);
// Power, clocks, energy and throttling of every case in which a device told of them.
[[nodiscard]] std::string device_table(const Run& run);

}  // namespace stepmark
