// SPDX-License-Identifier: Apache-2.0
// Whether ranks of a host may read each other's memory (process_vm_readv, "cross-memory attach"),
// which MPI uses for large messages. Yama, a seccomp profile or another user namespace forbid it.
#pragma once

#include <string>

#include "core/control.h"

namespace stepmark {

// Collective: each rank reads from the next one on its host. "works"; "refused: REASON (rank R)" of
// the lowest rank that could not; empty where no host has two ranks. The same on every rank.
[[nodiscard]] std::string memory_attach(Control& control);

// For a single process: whether one child may read another, as ranks of a host would. "works" or
// "refused: REASON".
[[nodiscard]] std::string probe_memory_attach();

}  // namespace stepmark
