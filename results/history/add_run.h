// SPDX-License-Identifier: Apache-2.0
// A journal into the tables of a history. Internal to results/history.
#pragma once

#include "results/history/database.h"
#include "results/history/history.h"

namespace stepmark {

[[nodiscard]] AddResult add_run(const Database& database, const Run& run,
                                const AddOptions& options);

}  // namespace stepmark
