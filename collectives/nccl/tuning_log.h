// SPDX-License-Identifier: Apache-2.0
// What NCCL chose for a collective, from its own log (NCCL_DEBUG=INFO, NCCL_DEBUG_SUBSYS=TUNING).
// The lines are not an interface: their form was read in the library of 2.28.9, and lines of any
// other form are passed over. Only rank 0 of a communicator writes them.
//   AllReduce: 4096 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..3}
//   AllReduce [Symmetric]: 4096 Bytes -> Kernel AllReduce_AGxLL_R nchannels 4 nthreads 512 nWorks 1
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collectives/comm.h"

namespace stepmark {

struct CollectiveChoice {
  std::string collective;  // NCCL's name: "AllReduce"
  std::int64_t bytes = 0;  // the larger of send and receive buffer
  std::string algorithm;   // "RING", "TREE", "NVLS" ...; of symmetric memory: the kernel's name
  std::string protocol;    // "LL", "LL128", "SIMPLE"; empty for symmetric memory
  int channels = 0;

  bool operator==(const CollectiveChoice&) const = default;
};

// In the order of the log. Any text.
[[nodiscard]] std::vector<CollectiveChoice> parse_tuning_log(std::string_view text);
// The latest choice for a collective of that size (S of core/metrics.h); nothing where the log has
// none, and for collectives that are made of sends and receives, for which NCCL chooses nothing.
[[nodiscard]] std::optional<CollectiveChoice> choice_of(
    const std::vector<CollectiveChoice>& choices, Verb verb, std::int64_t bytes);

}  // namespace stepmark
