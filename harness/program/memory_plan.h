// SPDX-License-Identifier: Apache-2.0
// Where each buffer of a program lies in one piece of memory, by lifetimes. Activations and
// workspaces are live from where something is written that is read later to its last read, as often
// as that happens; buffers that are live at different times may lie in the same place. "Different"
// is by the program's own order: of two ops on different streams that no wait orders neither is
// before the other, so their buffers stay apart. All other kinds (parameters, gradients, states,
// inputs, scalars), which keep their content between steps, and what is read before it is written,
// have a place of their own.
#pragma once

#include <cstdint>
#include <vector>

#include "harness/program/program.h"

namespace stepmark {

inline constexpr std::int64_t kBufferAlignmentBytes = 256;  // enough for any vector load

struct MemoryPlan {
  std::vector<std::int64_t> offsets_bytes;  // by buffer, multiples of the alignment
  std::int64_t bytes = 0;                   // of all: the peak
};

// By lifetimes. Buffers that keep their content come first, in the order of their declaration: two
// programs of the same buffers have them in the same places. Legal programs only (legality.h).
[[nodiscard]] MemoryPlan plan_memory(const Program& program);

// Every buffer in a place of its own. Error(kUsage) for a negative or overflowing size.
[[nodiscard]] MemoryPlan plan_apart(const std::vector<BufferDecl>& buffers);

}  // namespace stepmark
