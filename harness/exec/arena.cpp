// SPDX-License-Identifier: Apache-2.0
// Buffers apart, or sharing memory by lifetimes. A second program may take over the memory of a
// first, so that two forms of one step work on the same parameters.
#include "harness/exec/arena.h"

#include <algorithm>
#include <cstddef>

#include "core/error.h"

namespace stepmark {
namespace {

std::shared_ptr<const Memory> arena_for(const Program& program, const MemoryPlan& layout,
                                        Device& device, const PrepareOptions& options) {
  const auto bytes = static_cast<std::size_t>(std::max(layout.bytes, options.least_bytes));
  if (options.buffers_of == nullptr) {
    return std::make_shared<const Memory>(device.allocate(bytes));
  }
  STEPMARK_REQUIRE(options.buffers_of->program().buffers == program.buffers,
                   "program {} has other buffers than {}, whose memory it should use", program.name,
                   options.buffers_of->program().name);
  std::shared_ptr<const Memory> arena = options.buffers_of->arena();
  STEPMARK_REQUIRE(arena->bytes() >= bytes, "program {} needs {} bytes, those of {} are {}",
                   program.name, bytes, options.buffers_of->program().name, arena->bytes());
  return arena;
}

}  // namespace

BoundProgram::BoundProgram(const Program& program, Device& device, const PrepareOptions& options)
    : program_(program),
      layout_(options.reuse ? plan_memory(program_) : plan_apart(program_.buffers)),
      arena_(arena_for(program_, layout_, device, options)) {}

void* BoundProgram::address_of(std::int32_t index) const {
  STEPMARK_REQUIRE(index >= 0 && index < std::ssize(program_.buffers),
                   "program {} has no buffer {}", program_.name, index);
  return static_cast<std::byte*>(arena_->data()) +
         layout_.offsets_bytes[static_cast<std::size_t>(index)];
}

void* BoundProgram::address_of(const BufferSlice& slice) const {
  if (slice.buffer < 0) return nullptr;
  const DType dtype = program_.buffers[static_cast<std::size_t>(slice.buffer)].dtype;
  return static_cast<std::byte*>(address_of(slice.buffer)) +
         static_cast<std::size_t>(slice.offset) * size_of(dtype);
}

std::vector<void*> BoundProgram::operands_of(const Op& op) const {
  std::vector<void*> operands;
  for (const BufferSlice& slice : op.operands) operands.push_back(address_of(slice));
  return operands;
}

}  // namespace stepmark
