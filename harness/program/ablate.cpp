// SPDX-License-Identifier: Apache-2.0
// A copy of nothing takes the place of a transfer, so that executors, timelines and memory plans
// know nothing of it.
#include "harness/program/ablate.h"

#include <algorithm>

#include "harness/spec/step_groups.h"
#include "kernels/ops/memory.h"

namespace stepmark {

std::vector<std::string> axes_of_step(const Model& model, const Plan& plan) {
  std::vector<std::string> axes;
  const StepGroups groups(model, plan);
  for (const std::string& name : groups.names()) {
    const std::string axis(axis_of(name));
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) axes.push_back(axis);
  }
  return axes;
}

Program without_axis(Program program, std::string_view axis) {
  for (Op& op : program.ops) {
    if (!op.comm || axis_of(op.comm->axis) != axis) continue;
    op.kernel = pack(CopyShape{.elements = 0}, op.comm->dtype);
    op.comm.reset();
    // Of a message one end is absent; a copy has both.
    const BufferSlice& present = op.operands[0].buffer < 0 ? op.operands[1] : op.operands[0];
    const BufferSlice nothing{.buffer = present.buffer, .offset = present.offset, .elements = 0};
    for (BufferSlice& operand : op.operands) {
      operand.elements = 0;
      if (operand.buffer < 0) operand = nothing;
    }
  }
  return program;
}

}  // namespace stepmark
