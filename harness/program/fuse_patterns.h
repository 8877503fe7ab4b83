// SPDX-License-Identifier: Apache-2.0
// Which two ops have a fused form, by their shapes and operands alone. Internal to
// harness/program.
#pragma once

#include <optional>
#include <vector>

#include "harness/program/program.h"

namespace stepmark {

struct Fusion {
  OpShape shape;
  std::vector<BufferSlice> operands;
  // What the first op writes and the fused op does not; absent when it writes all.
  BufferSlice dropped;
};

[[nodiscard]] bool overlap(const BufferSlice& a, const BufferSlice& b);

// The op that does `first`, then `second`, both kernels; nothing when there is none, or when its
// operands would share memory in a way that it does not allow.
[[nodiscard]] std::optional<Fusion> fusion_of(const Op& first, const Op& second);

}  // namespace stepmark
