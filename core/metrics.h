// SPDX-License-Identifier: Apache-2.0
// Metric arithmetic that both the runner and the reader of results need. Definitions and their
// sources: docs/measuring.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/collective_list.h"  // generated: STEPMARK_COLLECTIVES(X)

namespace stepmark {

// What is measured as a collective, from the list in collectives/CMakeLists.txt; what a program may
// call is a Verb (collectives/comm.h).
enum class CollectiveKind : std::uint8_t {
#define STEPMARK_COLLECTIVE_KIND(name, factor) name,
  STEPMARK_COLLECTIVES(STEPMARK_COLLECTIVE_KIND)
#undef STEPMARK_COLLECTIVE_KIND
};
[[nodiscard]] std::string_view name_of(CollectiveKind kind);          // "all_reduce", ...
[[nodiscard]] CollectiveKind collective_from(std::string_view name);  // Error(kUsage)
[[nodiscard]] std::optional<CollectiveKind> find_collective(std::string_view name);  // no error
[[nodiscard]] std::span<const CollectiveKind> collective_kinds();  // all, in the list's order

// What of the size S the busiest link of a rank carries, by the best algorithm: nothing, S, S of
// the others ((n-1)/n) or twice that. S (bytes of algbw) is nccl-tests' size: bytes per rank for
// all-reduce, broadcast, reduce, send/recv; total (n chunks) for the others.
enum class BusFactor : std::uint8_t { nothing, whole, others, twice_others };

// busbw = algbw * bus_factor(kind, n). 0 for n = 1 where the factor is (n-1)/n or 2(n-1)/n.
[[nodiscard]] double bus_factor(CollectiveKind kind, int ranks);

// FLOP/s over the dense peak: MFU of model FLOPs (PaLM, arXiv 2204.02311 App. B), HFU of those
// done. NaN when an argument is unknown (not positive, not finite). Above 1 the peak or the count
// is wrong: the value is then no utilisation, and whoever asked says so.
[[nodiscard]] double flops_utilization(double flops_per_step, double step_seconds,
                                       double peak_flops_per_second);

}  // namespace stepmark
