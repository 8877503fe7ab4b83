// SPDX-License-Identifier: Apache-2.0
// Mixes drawn from a seed, the same on every machine: every kind of constraint is in some of them.
#pragma once

#include <cstdint>

#include "results/portfolio/allocation.h"

namespace stepmark {

[[nodiscard]] PortfolioProblem generated_mix(std::uint64_t seed);

}  // namespace stepmark
