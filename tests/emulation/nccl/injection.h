// SPDX-License-Identifier: Apache-2.0
// Faults on demand, through the environment:
//   NCCL_EMULATED_FLIP=rank:call          the call-th operation (from 0) that this process runs
//   flips
//                                         one bit in the middle of what it received
//   NCCL_EMULATED_INIT_DELAY=rank:seconds the rank joins its first communicator that much later
//   NCCL_EMULATED_VERSION=22003           what ncclGetVersion says
// Ranks are those of the process's first communicator.
#pragma once

#include <cstddef>

namespace stepmark::emulation {

void note_rank(int rank);  // of a communicator that is being made; the first counts
void delay_init();
void maybe_flip_bit(std::byte* received, std::size_t bytes);
[[nodiscard]] int emulated_version();
// As NCCL with NCCL_DEBUG=INFO and NCCL_DEBUG_SUBSYS=TUNING, to NCCL_DEBUG_FILE.
void log_choice(const char* collective, std::size_t bytes);
// As NCCL with NCCL_DEBUG_SUBSYS=INIT, when a communicator is made.
void log_start(int rank, int ranks);

}  // namespace stepmark::emulation
