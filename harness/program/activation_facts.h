// SPDX-License-Identifier: Apache-2.0
// What recomputation changes, counted in a step program: what a layer's forward pass leaves in
// memory for its backward pass, and what is computed twice.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "harness/program/program.h"

namespace stepmark {

struct ActivationFacts {
  // By layer ("layer3"), bytes of one micro-batch that its forward pass writes, or receives, and
  // its backward pass reads: the layer's input and what is kept in the layer. Of a rank.
  std::map<std::string, std::int64_t> kept_bytes;
  // Of the kernels that do again what a forward pass has done; they are in kernel_flops() as well.
  double recomputed_flops = 0;

  // Of the layer with most.
  [[nodiscard]] std::int64_t most_kept_bytes() const;
};

// Of a program of step_program() and alike.
[[nodiscard]] ActivationFacts activation_facts(const Program& program);

}  // namespace stepmark
