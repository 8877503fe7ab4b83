// SPDX-License-Identifier: Apache-2.0
// Providers against each other as JSON: docs/file-formats.md.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "results/across/across.h"

namespace stepmark {

[[nodiscard]] nlohmann::json to_json(const Across& across);

}  // namespace stepmark
