// SPDX-License-Identifier: Apache-2.0
// What a change of a step costs, below the table of a like-for-like comparison.
#pragma once

#include <span>
#include <string>

#include "results/across/change_cost.h"

namespace stepmark {

[[nodiscard]] std::string change_cost_table(std::span<const ChangeCost> costs,
                                            const SideComparison& side, const PriceFile& prices);

}  // namespace stepmark
