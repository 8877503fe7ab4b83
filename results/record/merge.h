// SPDX-License-Identifier: Apache-2.0
// What the repetitions of a case say together. docs/measuring.md, "Repetitions".
#pragma once

#include <span>

#include "results/record/record.h"

namespace stepmark {

// A figure and its 95 % interval; NaN bounds: without interval.
struct Estimate {
  double value, lower, upper;
};

// Geometric mean of the figures (arithmetic where one is not positive) with Student's interval over
// the repetitions. Their variance is taken at least as large as their own intervals explain. One
// repetition: as it is. NaN where a figure is.
[[nodiscard]] Estimate over_repetitions(std::span<const Estimate> repetitions);

// Standard deviation of the figures' logarithms, n - 1: how much repetitions differ, relatively.
// NaN for fewer than two or where one is not positive.
[[nodiscard]] double relative_spread(std::span<const double> figures);

// One record for all repetitions of a case, given in order. Failed when one has failed; else
// measured when one was measured, from those that were. Series are joined; median, interval and
// metrics are those of over_repetitions; split and timeline those of the repetition in the middle.
[[nodiscard]] Record merge_repetitions(std::span<const Record> repetitions);

}  // namespace stepmark
