// SPDX-License-Identifier: Apache-2.0
// A copy of nothing takes the place of an op, so that executors, timelines and memory plans know
// nothing of it.
#include "harness/program/ablate.h"

#include <algorithm>
#include <utility>

#include "harness/spec/step_groups.h"
#include "kernels/ops/memory.h"

namespace stepmark {
namespace {

bool is_of(const Op& op, std::string_view part) {
  if (part.starts_with(kAllBut)) return !is_of(op, part.substr(kAllBut.size()));
  if (!op.comm) return part == kAllCompute;
  return part == kAllCommunication || part == axis_of(op.comm->axis);
}

// Of a message one end is absent, and of a kernel optional operands; a copy has both of its own.
BufferSlice nothing_of(const Op& op) {
  const auto present = std::find_if(op.operands.begin(), op.operands.end(),
                                    [](const BufferSlice& slice) { return slice.buffer >= 0; });
  return {.buffer = present->buffer, .offset = present->offset, .elements = 0};
}

}  // namespace

std::vector<std::string> parts_of_step(const Model& model, const Plan& plan) {
  std::vector<std::string> parts;
  const StepGroups groups(model, plan);
  for (const std::string& name : groups.names()) {
    const std::string axis(axis_of(name));
    if (std::find(parts.begin(), parts.end(), axis) == parts.end()) parts.push_back(axis);
  }
  const std::vector<std::string> axes = parts;
  if (axes.size() > 1) parts.emplace_back(kAllCommunication);
  if (!axes.empty()) parts.emplace_back(kAllCompute);
  if (axes.size() > 1) {
    for (const std::string& axis : axes) parts.push_back(std::string(kAllBut) + axis);
  }
  return parts;
}

Program without_part(Program program, std::string_view part) {
  return without_ops(std::move(program), [&](const Op& op) { return is_of(op, part); });
}

Program without_ops(Program program, const std::function<bool(const Op&)>& leaves_out) {
  for (Op& op : program.ops) {
    if (!leaves_out(op)) continue;
    const BufferSlice nothing = nothing_of(op);
    const DType dtype = op.comm ? op.comm->dtype : op.kernel->dtype;
    op.comm.reset();
    op.kernel = pack(CopyShape{.elements = 0}, dtype);
    op.operands = {nothing, nothing};
  }
  return program;
}

}  // namespace stepmark
