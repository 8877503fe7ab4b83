// SPDX-License-Identifier: Apache-2.0
// From raw samples to a summary; docs/measuring.md names the method of each figure.
#pragma once

#include <vector>

#include "results/record/record.h"

namespace stepmark {

// Values of the steady state: start-up transient cut (steady_state_start), NaN dropped.
[[nodiscard]] std::vector<double> steady_values(const Series& series);

// Pure. Undefined figures are NaN (an empty series; the interval with fewer than 6 samples); the
// interval of the median counts dependence and drift (estimate_median).
[[nodiscard]] Summary summarize(const Series& series);

}  // namespace stepmark
