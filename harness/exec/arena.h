// SPDX-License-Identifier: Apache-2.0
// All buffers of a program in one allocation: one page table walk pattern, one release, and a
// memory figure that is exact.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/device.h"
#include "harness/exec/executor.h"
#include "harness/program/program.h"

namespace stepmark {

struct ArenaLayout {
  std::vector<std::size_t> offsets_bytes;  // per buffer, multiples of 256
  std::size_t bytes = 0;
};

// Error(kUsage) for a negative or overflowing size.
[[nodiscard]] ArenaLayout lay_out(const std::vector<BufferDecl>& buffers);

// Memory for the buffers of `program`: that of `options.buffers_of`, or new and not initialised.
[[nodiscard]] std::shared_ptr<const Memory> arena_for(const Program& program,
                                                      const ArenaLayout& layout, Device& device,
                                                      const PrepareOptions& options);

// Address of a slice in an arena that starts at `base`; nullptr for an absent operand.
[[nodiscard]] void* address_of(const BufferSlice& slice, const Program& program,
                               const ArenaLayout& layout, void* base);

}  // namespace stepmark
