// SPDX-License-Identifier: Apache-2.0
// What tests ask of, and do to, the emulated GPU. From the environment:
//   STEPMARK_EMULATED_DEVICES          GPUs of this machine (8)
//   STEPMARK_EMULATED_MEMORY           bytes of each (4 GiB)
//   STEPMARK_EMULATED_SEED             of the order in which streams get on (1)
//   STEPMARK_EMULATED_FAIL_ALLOCATION  n: the n-th allocation of device memory fails
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace stepmark::emulation {

// What was allocated and not freed: device memory of all devices, pinned host memory, and objects.
// Breaks the device (failure()) when freed memory was written since.
struct LiveAllocations {
  std::size_t device_blocks = 0;
  std::size_t device_bytes = 0;
  std::size_t host_blocks = 0;
  std::size_t streams = 0, events = 0, graphs = 0, graph_execs = 0;
  bool operator==(const LiveAllocations&) const = default;
};
LiveAllocations live_allocations();

// The n-th allocation of device memory from now on fails (1: the next one); 0: none does.
void fail_allocation(int n);
// The n-th cudaStreamWaitEvent from now on has no effect (1: the next one); 0: all have theirs. For
// tests that show that they would notice.
void ignore_wait(int n);
// Bytes that cudaMemsetAsync was asked to write since the process began.
[[nodiscard]] std::size_t memset_bytes();
// Restarts the random order of streams.
void seed(std::uint64_t value);
// Text of the exception that broke the device; empty when it is sound.
[[nodiscard]] std::string failure();
// Drops all work and forgets a failure, which on a GPU only the end of the process does.
void reset();

}  // namespace stepmark::emulation
