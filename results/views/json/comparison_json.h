// SPDX-License-Identifier: Apache-2.0
// A comparison as JSON: docs/file-formats.md says what the keys mean.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "results/compare/compare.h"

namespace stepmark {

[[nodiscard]] nlohmann::json to_json(const Comparison& comparison);

}  // namespace stepmark
