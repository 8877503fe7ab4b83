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

void* address_of(const BufferSlice& slice, const Program& program, const ArenaLayout& layout,
                 void* base) {
  if (slice.buffer < 0) return nullptr;
  const auto index = static_cast<std::size_t>(slice.buffer);
  const std::size_t offset_bytes =
      static_cast<std::size_t>(slice.offset) * size_of(program.buffers[index].dtype);
  return static_cast<std::byte*>(base) + layout.offsets_bytes[index] + offset_bytes;
}

}  // namespace stepmark
