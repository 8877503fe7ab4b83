// SPDX-License-Identifier: Apache-2.0
// Which collectives to verify and time: sizes, dtypes, operators and placements as a flat list.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collectives/collective.h"

namespace stepmark {

struct SweepSpec {
  std::vector<CollectiveKind> kinds;
  std::int64_t min_bytes = 8;
  std::int64_t max_bytes = 16 << 20;
  double factor = 2.0;  // from one size to the next, > 1
  std::vector<DType> dtypes{DType::f32};
  std::vector<ReduceOp> ops{ReduceOp::sum};
  bool out_of_place = true;
  bool in_place = false;  // left out silently for collectives that have no such form
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

// min, min*factor, ... up to and including max where it is hit. Error(kUsage) on an empty range.
[[nodiscard]] std::vector<std::int64_t> sweep_sizes(std::int64_t min_bytes, std::int64_t max_bytes,
                                                    double factor);
// In the order kind, dtype, operator, placement, size.
[[nodiscard]] std::vector<SweepCase> sweep_cases(const SweepSpec& spec);
[[nodiscard]] std::string case_name(const Collective& collective, const CollectiveSetup& setup);

}  // namespace stepmark
