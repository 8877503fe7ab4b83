// SPDX-License-Identifier: Apache-2.0
// One kernel through the executor, filled with known data: timing and comparison with the double
// reference, the same on every device.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "harness/cases/case.h"
#include "harness/exec/executor.h"
#include "kernels/op.h"

namespace stepmark {

// checked: the operands are kept as doubles too, for the reference; timed: only on the device, for
// large shapes.
enum class KernelData : std::uint8_t { checked, timed };

class KernelRun {
 public:
  // Allocates and fills the operands of `shape` with data that is a function of `seed`.
  KernelRun(Executor& executor, const OpShape& shape, std::uint64_t seed,
            KernelData data = KernelData::checked, const PrepareOptions& options = {});

  // Runs once and returns the kernel's own seconds.
  double run();
  // Whether every run finds the device's caches empty.
  [[nodiscard]] bool cold() const { return runnable_->cold(); }
  // Largest relative error over the outputs divided by its tolerance: at most 1 is right. Call
  // after exactly one run(), with KernelData::checked. Costs a run of the naive reference.
  [[nodiscard]] double error_over_tolerance();
  // Puts the operands back to what they were at construction (KernelData::checked).
  void refill();

 private:
  [[nodiscard]] std::vector<double> read(std::size_t operand) const;
  void fill_periodically(std::uint64_t seed);

  Executor& executor_;
  OpShape shape_;
  std::vector<std::vector<double>> inputs_;  // as stored: rounded to the operand's dtype
  std::unique_ptr<CommSet> comms_;
  std::unique_ptr<Runnable> runnable_;
};

// Runs every test shape of an op against the double reference and records the check; once per op
// and dtype where the context keeps checks. Collective.
bool check_against_reference(Record& record, CaseContext& context, OpId op, DType dtype);

// Fills device memory with standard normal values of stream `stream` that repeat after a prime
// number of elements: values without structure, quickly.
void fill_with_noise(Device& device, void* memory, DType dtype, std::int64_t elements,
                     std::uint64_t seed, std::uint64_t stream);

}  // namespace stepmark
