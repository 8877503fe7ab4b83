// SPDX-License-Identifier: Apache-2.0
#include "harness/exec/arena.h"

#include <cstdint>

#include "core/error.h"

namespace stepmark {
namespace {

constexpr std::size_t kAlignmentBytes = 256;  // of Device::allocate; enough for any vector load
constexpr std::int64_t kMaxElements = std::int64_t{1} << 56;  // keeps sums within 64 bits

}  // namespace

ArenaLayout lay_out(const std::vector<BufferDecl>& buffers) {
  ArenaLayout layout;
  layout.offsets_bytes.reserve(buffers.size());
  for (const BufferDecl& buffer : buffers) {
    STEPMARK_REQUIRE(buffer.elements >= 0 && buffer.elements < kMaxElements,
                     "buffer {} has an impossible size of {} elements", buffer.name,
                     buffer.elements);
    layout.offsets_bytes.push_back(layout.bytes);
    const std::size_t bytes = static_cast<std::size_t>(buffer.elements) * size_of(buffer.dtype);
    layout.bytes += (bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
    STEPMARK_REQUIRE(layout.bytes < std::size_t{1} << 60, "buffers up to {} need over 2^60 bytes",
                     buffer.name);
  }
  return layout;
}

namespace {

std::shared_ptr<const Memory> arena_for(const Program& program, const ArenaLayout& layout,
                                        Device& device, const PrepareOptions& options) {
  if (options.buffers_of == nullptr) {
    return std::make_shared<const Memory>(device.allocate(layout.bytes));
  }
  STEPMARK_REQUIRE(options.buffers_of->program().buffers == program.buffers,
                   "program {} has other buffers than {}, whose memory it should use", program.name,
                   options.buffers_of->program().name);
  return options.buffers_of->arena();
}

}  // namespace

BoundProgram::BoundProgram(const Program& program, Device& device, const PrepareOptions& options)
    : program_(program),
      layout_(lay_out(program_.buffers)),
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
