// SPDX-License-Identifier: Apache-2.0
// A GEMM with a neighbouring pass in one call of the library, or as two kernels: whichever is
// faster here.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "kernels/cuda/cuda_kernels.h"

namespace stepmark::cuda {

struct Planned {
  Enqueue enqueue;
  std::string engine;
  std::string refused{};  // why the library did not multiply
};

// Plans one way of computing an op on operands; nothing where that way cannot.
using PlanForm = std::function<std::optional<Planned>(void* const* operands)>;

// Both ways of computing the op, timed against each other once per shape and device, on memory of
// their own: the operands are only read. Where there is no such memory, or with
// STEPMARK_GEMM_SEARCH=0, the fused form is taken if there is one. The engine says
// " (faster than unfused)" or " (faster than fused)" when it was timed.
[[nodiscard]] Planned faster_form(const OpShape& shape, void* const* operands,
                                  const KernelContext& context, const PlanForm& fused,
                                  const PlanForm& unfused);

}  // namespace stepmark::cuda
