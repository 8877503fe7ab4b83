// SPDX-License-Identifier: Apache-2.0
// A plan that does not fit: which change of it does.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "harness/spec/model.h"
#include "harness/spec/plan.h"

namespace stepmark {

struct MemoryLever {
  std::string change;      // "tp=4,dp=2", "precision=bf16": for --plan
  std::string what;        // "more tensor parallelism on the same ranks"
  Plan plan;               // resolved
  std::int64_t ranks = 0;  // that the plan needs
  std::int64_t bytes = 0;  // per rank
};

// Memory of a rank under a resolved plan, in bytes.
using MemoryOf = std::function<std::int64_t(const Plan&)>;

// The first legal change that brings a rank under `available` bytes, tried in this order: more
// tensor parallelism (up to `tp_limit`) on the same ranks, sequence parallelism, experts over more
// of the ranks, optimizer state sharded, gradients reduced with every micro-batch, fewer logits at
// a time, smaller micro-batches for more of them, cheap activations computed again, bf16,
// parameters and gradients sharded as well, whole layers computed again, all that there is on the
// same ranks, more ranks for more tensor parallelism, fewer layers. More data-parallel ranks are
// not among them. `plan` must be resolved for `model`. Nothing when no change helps.
[[nodiscard]] std::optional<MemoryLever> memory_lever(const Model& model, const Plan& plan,
                                                      std::int64_t available, std::int64_t tp_limit,
                                                      const MemoryOf& memory_of);

}  // namespace stepmark
