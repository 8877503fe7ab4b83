// SPDX-License-Identifier: Apache-2.0
// The overlapped form of the optimizer against the serial one, bit for bit: parameters, masters,
// moments, gradients, loss, norm, step count, over several steps, on any device.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/equivalence_steps/step_run.h"

namespace stepmark {

// A step in the form that its plan asks for, with its state initialised.
struct StepForm {
  StepForm(Executor& executor, Comm& world, const Model& model, const Plan& plan,
           const PrepareOptions& options)
      : program(step_program(model, plan, world.rank(), executor.device().traits())),
        comms(make_comm_set(world, program)),
        runnable(executor.prepare(program, *comms, options)),
        state(*runnable, executor.device(), model, plan, kSeed) {
    state.initialise();
  }

  // All buffers of a kind.
  [[nodiscard]] std::vector<std::byte> bytes_of(BufferKind kind, Device& device) const {
    std::vector<std::byte> all;
    for (std::size_t i = 0; i < program.buffers.size(); ++i) {
      const BufferDecl& buffer = program.buffers[i];
      if (buffer.kind != kind) continue;
      const std::size_t begin = all.size();
      all.resize(begin + static_cast<std::size_t>(buffer.elements) * size_of(buffer.dtype));
      device.copy_to_host(all.data() + begin, runnable->buffer(static_cast<std::int32_t>(i)),
                          all.size() - begin);
    }
    return all;
  }

  Program program;
  std::unique_ptr<CommSet> comms;
  std::unique_ptr<Runnable> runnable;
  StepState state;
};

// Collective over `world`. `optimizer` says what of the plan concerns the optimizer: clip,
// grad_norm.
inline void expect_forms_agree(Executor& executor, Comm& world, const Model& model, Plan plan,
                               std::string_view optimizer, const PrepareOptions& options = {}) {
  plan = parse_plan(optimizer, plan);
  SCOPED_TRACE(model.name + " " + to_text(plan));
  plan.optimizer_overlap = OptimizerOverlap::off;
  StepForm serial(executor, world, model, plan, options);
  plan.optimizer_overlap = OptimizerOverlap::on;
  StepForm beside(executor, world, model, plan, options);
  ASSERT_FALSE(optimizer_beside_backward(serial.program));
  ASSERT_TRUE(optimizer_beside_backward(beside.program));
  ASSERT_EQ(serial.program.buffers, beside.program.buffers);
  const std::vector<std::byte> start = serial.state.param_bytes();
  for (int i = 0; i < 3; ++i) {
    serial.runnable->run();
    beside.runnable->run();
    for (const BufferKind kind :
         {BufferKind::param, BufferKind::grad, BufferKind::optimizer, BufferKind::scalar}) {
      ASSERT_EQ(serial.bytes_of(kind, executor.device()), beside.bytes_of(kind, executor.device()))
          << name_of(kind) << " after step " << i;
    }
  }
  EXPECT_NE(serial.state.param_bytes(), start);
  EXPECT_EQ(std::isnan(beside.state.gradient_norm()), !plan.computes_norm());
}

}  // namespace stepmark
