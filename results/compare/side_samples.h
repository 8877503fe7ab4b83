// SPDX-License-Identifier: Apache-2.0
// The samples of one case on one side. For results/compare, and results/across.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "results/compare/case_statistics.h"
#include "results/compare/compare.h"

namespace stepmark {

inline constexpr std::size_t kFewestSamples = 6;  // below, a median has no 95 % interval

// What a clock can give, in seconds. A file may say anything: beyond, logarithms and squares of
// times are no numbers any more.
inline constexpr double kShortest = 1e-12;
inline constexpr double kLongest = 1e9;

// A case on one side: a record per journal (of repetitions: what they say together) and the steady
// samples per run. A repetition counts as a run; one that lacks the case has no samples.
struct SideCase {
  std::vector<const Record*> records;
  Groups samples;
  std::string problem;  // why it cannot be used; empty when it can
};
[[nodiscard]] SideCase side_case(const RunSide& runs, const std::string& id,
                                 const std::string& side);

// Of runs that only tell the spread: samples per run and repetition, none where it is no
// measurement of the same thing.
[[nodiscard]] Groups samples_of(std::span<const Run> runs, const Record& like);

// Runs of the side: repetitions within journals counted.
[[nodiscard]] int runs_of(const RunSide& side);
// Median of the runs' medians, imported ones included.
[[nodiscard]] double side_median(const SideCase& side);
// Whether a run of the side tells its time without the samples behind it.
[[nodiscard]] bool lacks_samples(const SideCase& side);
// Every run that has the case has enough samples, all between kShortest and kLongest, and one has.
[[nodiscard]] bool usable(const SideCase& side);

}  // namespace stepmark
