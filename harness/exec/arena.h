// SPDX-License-Identifier: Apache-2.0
// All buffers of a program in one allocation: one page table walk pattern, one release, and a
// memory figure that is exact.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/device.h"
#include "harness/exec/executor.h"
#include "harness/program/memory_plan.h"

namespace stepmark {

// A program and the memory of its buffers: that of `options.buffers_of`, or new and not
// initialised.
class BoundProgram {
 public:
  BoundProgram(const Program& program, Device& device, const PrepareOptions& options);

  [[nodiscard]] const Program& program() const { return program_; }
  [[nodiscard]] const std::shared_ptr<const Memory>& arena() const { return arena_; }
  // Whole buffer `index`; Error(kUsage) when there is none.
  [[nodiscard]] void* address_of(std::int32_t index) const;
  // nullptr for an absent operand.
  [[nodiscard]] void* address_of(const BufferSlice& slice) const;
  [[nodiscard]] std::vector<void*> operands_of(const Op& op) const;

 private:
  const Program program_;
  const MemoryPlan layout_;
  std::shared_ptr<const Memory> arena_;
};

// What all Runnables do alike whose buffers are those of a BoundProgram.
class BoundRunnable : public Runnable {
 public:
  [[nodiscard]] std::shared_ptr<const Memory> arena() const final { return bound_.arena(); }
  [[nodiscard]] void* buffer(std::int32_t index) final { return bound_.address_of(index); }
  [[nodiscard]] const Program& program() const final { return bound_.program(); }

 protected:
  BoundRunnable(const Program& program, Device& device, const PrepareOptions& options)
      : bound_(program, device, options) {}
  [[nodiscard]] const BoundProgram& bound() const { return bound_; }

 private:
  const BoundProgram bound_;
};

}  // namespace stepmark
