// SPDX-License-Identifier: Apache-2.0
// Metric arithmetic that both the runner and the reader of results need. Definitions and their
// sources: docs/measuring.md.
#pragma once

#include <cstdint>
#include <string_view>

namespace stepmark {

enum class CollectiveKind : std::uint8_t {
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,
  all_to_all_v,
  broadcast,
  reduce,
  gather,
  scatter,
  send_recv,
  barrier,
};
[[nodiscard]] std::string_view name_of(CollectiveKind kind);          // "all_reduce", ...
[[nodiscard]] CollectiveKind collective_from(std::string_view name);  // Error(kUsage)

// busbw = algbw * bus_factor(kind, n). S (bytes of algbw) is nccl-tests' size: bytes per rank for
// all-reduce, broadcast, reduce, send/recv; total (n chunks) for the others. 0 for n = 1 where the
// factor is (n-1)/n or 2(n-1)/n.
[[nodiscard]] double bus_factor(CollectiveKind kind, int ranks);

// MFU (PaLM, arXiv 2204.02311 App. B): model FLOP/s over the dense peak. NaN when the peak is
// unknown (<= 0); throws Error(kCheckFailed) when the result exceeds 1.
[[nodiscard]] double model_flops_utilization(double model_flops_per_step, double step_seconds,
                                             double peak_flops_per_second);

}  // namespace stepmark
