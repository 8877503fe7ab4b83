// SPDX-License-Identifier: Apache-2.0
// From raw samples to a summary; docs/measuring.md names the method of each figure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/record/record.h"

namespace stepmark {

// Values of the steady state: start-up transient cut (steady_state_start), NaN dropped.
[[nodiscard]] std::vector<double> steady_values(const Series& series);
// The same where it is known how many finite values are cut.
[[nodiscard]] std::vector<double> steady_values(const Series& series, std::int64_t steady_from);

// Pure. Undefined figures are NaN (an empty series; the interval with fewer than 6 samples); the
// interval of the median counts dependence and drift (estimate_median).
[[nodiscard]] Summary summarize(const Series& series);

// Of samples that another tool did not keep: what it says of them. `count` 0 and NaN: not said.
struct Told {
  std::int64_t count = 0;
  double median, min, max;
};
[[nodiscard]] Summary imported_summary(std::string series, const Told& told);
// A summary as that of an imported record: without what only samples give (interval, deviation,
// effective count), whatever it says; NaN for times that are none.
[[nodiscard]] Summary without_samples(const Summary& told);

}  // namespace stepmark
