// SPDX-License-Identifier: Apache-2.0
// Sampling variance of a run's median. Internal to core/stats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace stepmark {

// Variance of log(median) under the circular block bootstrap. Samples must be positive; 0 for
// fewer than two.
[[nodiscard]] double log_median_variance(std::span<const double> x, std::size_t replicates,
                                         std::uint64_t seed, std::uint64_t stream);

}  // namespace stepmark
