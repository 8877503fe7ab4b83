// SPDX-License-Identifier: Apache-2.0
// What is known beside the times: environments and what people noted. Internal to results/history.
#pragma once

#include <cstdint>
#include <vector>

#include "results/history/check.h"
#include "results/history/database.h"

namespace stepmark {

// Facts of the environment in which two runs differ: first those that belong to its identity.
[[nodiscard]] std::vector<FactDifference> differences_between(const Database& database,
                                                              std::int64_t before,
                                                              std::int64_t after);

// Annotations of the line, or of all, from a day before `from` until a day after `to`: a driver is
// changed at noon and seen in the night.
[[nodiscard]] std::vector<Annotation> annotations_between(const Database& database,
                                                          std::int64_t line, std::int64_t from,
                                                          std::int64_t to);

}  // namespace stepmark
