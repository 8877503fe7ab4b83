// SPDX-License-Identifier: Apache-2.0
// Which results a floor speaks of, and why some of them are no evidence. Internal to
// results/contract.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "results/contract/check.h"
#include "results/contract/run_result.h"
#include "results/contract/terms.h"

namespace stepmark {

// '*' is any text, '?' any one character, all else itself.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);

// The floor's case, whatever its size and node count.
[[nodiscard]] bool has_case_of(const Floor& floor, const RunResult& result);
[[nodiscard]] bool has_size_of(const Floor& floor, const RunResult& result);

// Why a run of the floor's case and size is no evidence for it; empty where it is. What the terms
// cannot mean (another unit than the metric's, a floor under what is better when lower) is a
// ConfigError.
[[nodiscard]] std::string why_aside(const Floor& floor, const Dates& dates,
                                    const RunResult& result);

}  // namespace stepmark
