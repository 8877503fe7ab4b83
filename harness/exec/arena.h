// SPDX-License-Identifier: Apache-2.0
// All buffers of a program in one allocation: one page table walk pattern, one release, and a
// memory figure that is exact.
#pragma once

#include <cstddef>
#include <vector>

#include "harness/program/program.h"

namespace stepmark {

struct ArenaLayout {
  std::vector<std::size_t> offsets_bytes;  // per buffer, multiples of 256
  std::size_t bytes = 0;
};

// Error(kUsage) for a negative or overflowing size.
[[nodiscard]] ArenaLayout lay_out(const std::vector<BufferDecl>& buffers);

// Address of a slice in an arena that starts at `base`; nullptr for an absent operand.
[[nodiscard]] void* address_of(const BufferSlice& slice, const Program& program,
                               const ArenaLayout& layout, void* base);

}  // namespace stepmark
