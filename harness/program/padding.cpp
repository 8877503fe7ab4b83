// SPDX-License-Identifier: Apache-2.0
// The cost is the difference to the program without padding, built for that: FLOPs and memory are
// counted by the same functions as everywhere and not by a second formula.
#include "harness/program/padding.h"

#include <fmt/format.h>

#include "harness/program/memory_plan.h"
#include "harness/program/step.h"

namespace stepmark {
namespace {

void add_unaligned(std::vector<PaddedDim>& dims, const char* name, std::int64_t width,
                   const Plan& plan, const DeviceTraits& traits) {
  if (width * static_cast<std::int64_t>(size_of(plan.precision)) % traits.row_bytes != 0) {
    dims.push_back({.name = name, .width = width, .stored = width});
  }
}

void add_padded(std::vector<PaddedDim>& dims, const char* name, std::int64_t width,
                const DeviceTraits& traits) {
  const std::int64_t stored = padded(width, traits.dimension_multiple);
  if (stored != width) dims.push_back({.name = name, .width = width, .stored = stored});
}

}  // namespace

Padding padding_of(const Model& model, const Plan& plan, const Program& program,
                   const DeviceTraits& traits) {
  const Shards shards = shards_of(model, plan, program.rank);
  Padding result;
  add_padded(result.dims, "vocabulary", shards.vocab.count, traits);
  add_padded(result.dims, "MLP width", shards.ffn, traits);
  add_unaligned(result.unaligned, "hidden", model.hidden, plan, traits);
  add_unaligned(result.unaligned, "query width", shards.heads * model.head_dim, plan, traits);
  add_unaligned(result.unaligned, "query, key and value width",
                (shards.heads + 2 * shards.kv_heads) * model.head_dim, plan, traits);
  result.model_kernel_flops = kernel_flops(program);
  if (result.dims.empty()) return result;
  const Program unpadded = step_program(model, plan, program.rank);
  result.model_kernel_flops = kernel_flops(unpadded);
  result.flops = kernel_flops(program) - result.model_kernel_flops;
  result.memory_bytes = plan_memory(program).bytes - plan_memory(unpadded).bytes;
  const ParamLayout layout(model, plan, program.rank, traits);
  for (const Param& param : layout.params()) {
    result.parameters += param.stored_elements() - param.elements();
  }
  return result;
}

std::string to_text(const std::vector<PaddedDim>& dims) {
  std::string text;
  for (const PaddedDim& dim : dims) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", dim.name, dim.width);
    if (dim.stored != dim.width) text += fmt::format(" -> {}", dim.stored);
  }
  return text;
}

}  // namespace stepmark
