// SPDX-License-Identifier: Apache-2.0
// Which dims of a step a device has padded, what that costs, and which rows are misaligned all the
// same.
//
// Padded, per rank: the vocabulary where a GEMM meets it (logits, and the table of the head:
// tied or its own) and the MLP width (up, gate and down). Both end inside the step: logits in the
// loss, which knows their padding, the MLP's activations in a GEMM whose weights are zero there.
// All other rows have the length of the residual stream or of the heads; other kernels than
// GEMMs give these a meaning (a norm's mean, a head's scores), so they stay what the model says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/device_traits.h"
#include "harness/program/program.h"
#include "harness/spec/model.h"
#include "harness/spec/plan.h"

namespace stepmark {

// A dim of one rank.
struct PaddedDim {
  std::string name;         // "vocabulary"
  std::int64_t width = 0;   // of the model
  std::int64_t stored = 0;  // what GEMMs compute
  bool operator==(const PaddedDim&) const = default;
};

struct Padding {
  std::vector<PaddedDim> dims;       // those that padding makes wider
  std::vector<PaddedDim> unaligned;  // not padded, and rows begin at no multiple of row_bytes
  // Of this rank and step, in its buffers and kernels: what is there beyond the model's own.
  std::int64_t parameters = 0;
  std::int64_t memory_bytes = 0;  // of the peak
  double flops = 0;
  double model_kernel_flops = 0;  // of the kernels without it

  // Of the kernels' FLOPs.
  [[nodiscard]] double flops_share() const {
    return flops > 0 ? flops / (flops + model_kernel_flops) : 0.0;
  }
};

// Of `program`, which is step_program() of these arguments and any rank.
[[nodiscard]] Padding padding_of(const Model& model, const Plan& plan, const Program& program,
                                 const DeviceTraits& traits);

// "vocabulary 50257 -> 50304, MLP width 1000 -> 1024"; "hidden 100": for records and tables. Empty
// for no dims.
[[nodiscard]] std::string to_text(const std::vector<PaddedDim>& dims);

}  // namespace stepmark
