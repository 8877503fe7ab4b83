// SPDX-License-Identifier: Apache-2.0
// Which collectives to verify and time: sizes, dtypes, operators and placements as a flat list.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collectives/collective.h"

namespace stepmark {

// Nobody reads more rows, and a slip in a step must not make millions.
inline constexpr std::size_t kMaxSweepCases = 10'000;

struct SweepSpec {
  std::vector<CollectiveKind> kinds;
  std::vector<std::int64_t> sizes;  // bytes, in any order
  std::vector<DType> dtypes{DType::f32};
  std::vector<ReduceOp> ops{ReduceOp::sum};
  bool out_of_place = true;
  bool in_place = false;  // of collectives that have such a form
  int root = 0;
  std::uint64_t seed = 1;
};

struct SweepCase {
  const Collective* collective;
  CollectiveSetup setup;
  // Stable and unique within a sweep: "all_reduce/fp32/sum/4KiB/out-of-place"; the operator only
  // where there is one, "barrier" alone for the barrier.
  std::string name;
};

struct Sweep {
  std::vector<SweepCase> cases;  // in the order kind, dtype, operator, placement, size
  // What was left out: sizes that leave no element or round to the same number of elements as a
  // smaller one, and collectives without the one placement that was asked for.
  std::vector<std::string> remarks;
};

// min, min*factor, ... up to and including max where it is hit. Error(kUsage) on an empty range, on
// a factor that is not above 1, and on more than kMaxSweepCases sizes.
[[nodiscard]] std::vector<std::int64_t> sizes_by_factor(std::int64_t min_bytes,
                                                        std::int64_t max_bytes, double factor);
// min, min+step, ... in the same way.
[[nodiscard]] std::vector<std::int64_t> sizes_by_step(std::int64_t min_bytes,
                                                      std::int64_t max_bytes, std::int64_t step);

// For a group of `ranks` ranks. Error(kUsage) on more than kMaxSweepCases cases.
[[nodiscard]] Sweep sweep_cases(const SweepSpec& spec, int ranks);
[[nodiscard]] std::string case_name(const Collective& collective, const CollectiveSetup& setup);

}  // namespace stepmark
