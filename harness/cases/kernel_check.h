// SPDX-License-Identifier: Apache-2.0
// One kernel through the executor, filled with known data: timing and comparison with the double
// reference, the same on every device.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "harness/exec/executor.h"
#include "kernels/op.h"

namespace stepmark {

class KernelRun {
 public:
  // Allocates and fills the operands of `shape` with data that is a function of `seed`.
  KernelRun(Executor& executor, const OpShape& shape, std::uint64_t seed);

  // Runs once and returns the kernel's own seconds.
  double run();
  // Largest relative error over the outputs divided by its tolerance: at most 1 is right. Call
  // after exactly one run(). Costs a run of the naive reference.
  [[nodiscard]] double error_over_tolerance();
  // Puts the operands back to what they were at construction.
  void refill();

 private:
  [[nodiscard]] std::vector<double> read(std::size_t operand) const;

  Executor& executor_;
  OpShape shape_;
  std::vector<std::vector<double>> inputs_;  // as stored: rounded to the operand's dtype
  std::unique_ptr<CommSet> comms_;
  std::unique_ptr<Runnable> runnable_;
};

}  // namespace stepmark
