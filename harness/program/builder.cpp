// SPDX-License-Identifier: Apache-2.0
// Conflicts are looked up per buffer, among the uses that no later write has covered, so that
// building stays linear in ops; FewestWaits keeps of them what order does not imply.
#include "harness/program/builder.h"

#include <algorithm>

#include "core/error.h"

namespace stepmark {

ProgramBuilder::ProgramBuilder(std::string name, std::int32_t rank, std::int32_t world_size) {
  program_.name = std::move(name);
  program_.rank = rank;
  program_.world_size = world_size;
}

void ProgramBuilder::add_group(Group group) {
  for (const Group& other : program_.groups) {
    STEPMARK_REQUIRE(other.axis != group.axis, "axis '{}' has two groups", group.axis);
  }
  program_.groups.push_back(std::move(group));
}

BufferSlice ProgramBuilder::add_buffer(std::string name, BufferKind kind, DType dtype,
                                       std::int64_t elements) {
  const auto index = static_cast<std::int32_t>(program_.buffers.size());
  STEPMARK_REQUIRE(buffer_index_.emplace(name, index).second, "buffer '{}' is declared twice",
                   name);
  program_.buffers.push_back(
      {.name = std::move(name), .kind = kind, .dtype = dtype, .elements = elements});
  return {.buffer = index, .offset = 0, .elements = elements};
}

std::int32_t ProgramBuilder::buffer_index(const std::string& name) const {
  const auto found = buffer_index_.find(name);
  return found == buffer_index_.end() ? -1 : found->second;
}

BufferSlice ProgramBuilder::part(BufferSlice slice, std::int64_t offset, std::int64_t elements) {
  STEPMARK_REQUIRE(offset >= 0 && elements >= 0 && offset + elements <= slice.elements,
                   "part [{}, +{}) is outside a slice of {}", offset, elements, slice.elements);
  return {.buffer = slice.buffer, .offset = slice.offset + offset, .elements = elements};
}

std::int32_t ProgramBuilder::stream_index(std::string_view stream) {
  auto& streams = program_.streams;
  const auto found = std::find(streams.begin(), streams.end(), stream);
  if (found != streams.end()) return static_cast<std::int32_t>(found - streams.begin());
  streams.emplace_back(stream);
  last_.push_back(-1);
  return static_cast<std::int32_t>(streams.size()) - 1;
}

void ProgramBuilder::kernel(std::string label, std::string_view stream, const OpShape& shape,
                            std::vector<BufferSlice> operands) {
  const OpInfo& info = info_of(shape.id);
  STEPMARK_REQUIRE(operands.size() == info.operands.size(), "{}: {} takes {} operands, got {}",
                   label, info.name, info.operands.size(), operands.size());
  std::vector<std::pair<BufferSlice, Access>> uses;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const std::int64_t needed = elements_of(shape, i);
    if (needed == 0) {
      operands[i] = {};
      continue;
    }
    STEPMARK_REQUIRE(operands[i].elements == needed,
                     "{}: operand '{}' of {} needs {} elements, got {}", label,
                     info.operands[i].name, info.name, needed, operands[i].elements);
    uses.emplace_back(operands[i], access_of(shape, i));
  }
  Op op{.label = std::move(label), .phase = phase_, .stream = stream_index(stream)};
  op.kernel = shape;
  op.operands = std::move(operands);
  push(std::move(op), uses);
}

void ProgramBuilder::comm(std::string label, std::string_view stream, CommShape shape,
                          BufferSlice send, BufferSlice recv) {
  const CommAccess access = comm_access(shape, program_.group(shape.axis));
  STEPMARK_REQUIRE(send.elements == access.send && recv.elements == access.recv,
                   "{}: {} needs {} elements to send and {} to receive, got {} and {}", label,
                   name_of(shape.verb), access.send, access.recv, send.elements, recv.elements);
  std::vector<std::pair<BufferSlice, Access>> uses;
  if (access.send > 0) uses.emplace_back(send, Access::in);
  if (access.recv > 0) uses.emplace_back(recv, Access::out);
  Op op{.label = std::move(label), .phase = phase_, .stream = stream_index(stream)};
  op.comm = std::move(shape);
  op.operands = {access.send > 0 ? send : BufferSlice{}, access.recv > 0 ? recv : BufferSlice{}};
  push(std::move(op), uses);
}

void ProgramBuilder::wait_for(std::string_view stream) {
  const std::int32_t of = stream_index(stream);
  const std::int32_t last = last_[static_cast<std::size_t>(of)];
  if (last >= 0) waits_.depends(of, last);
}

void ProgramBuilder::push(Op op, const std::vector<std::pair<BufferSlice, Access>>& uses) {
  const auto index = static_cast<std::int32_t>(program_.ops.size());
  uses_.resize(program_.buffers.size());
  for (const auto& [slice, access] : uses) {
    const bool write = access != Access::in;
    BufferUses& earlier = uses_[static_cast<std::size_t>(slice.buffer)];
    earlier.for_each_conflict(slice, write, [&](std::int32_t use, std::int32_t stream) {
      if (use != index && stream != op.stream) waits_.depends(stream, use);
    });
    if (write) earlier.forget_covered(slice, index);
    earlier.add(slice, write, op.stream, index);
  }
  op.deps = waits_.waits_of(op.stream);
  last_[static_cast<std::size_t>(op.stream)] = index;
  program_.ops.push_back(std::move(op));
}

}  // namespace stepmark
