// SPDX-License-Identifier: Apache-2.0
// All points of a history as CSV. Columns: docs/history.md.
#pragma once

#include <string>

#include "results/history/history.h"

namespace stepmark {

[[nodiscard]] std::string history_csv(const History& history, bool newest_only);

}  // namespace stepmark
