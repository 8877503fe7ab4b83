// SPDX-License-Identifier: Apache-2.0
// Elements that a verb sends and receives per rank, and sums over a program: FLOPs, bytes of its
// buffers, bytes on the bus of a group.
#include "harness/program/program.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace stepmark {

std::int32_t Program::buffer_index(std::string_view buffer) const {
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].name == buffer) return static_cast<std::int32_t>(i);
  }
  return -1;
}

const Group& Program::group(std::string_view axis) const {
  for (const Group& candidate : groups) {
    if (candidate.axis == axis) return candidate;
  }
  throw Error(ExitCode::kUsage, fmt::format("program '{}' has no group '{}'", name, axis));
}

std::string_view axis_of(std::string_view group) { return group.substr(0, group.find('.')); }

std::string_view name_of(BufferKind kind) {
  constexpr std::array<std::string_view, 7> kNames{"param",     "grad",  "optimizer", "activation",
                                                   "workspace", "input", "scalar"};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::string_view name_of(Phase phase) {
  constexpr std::array<std::string_view, 5> kNames{"forward", "loss", "backward", "gradient_sync",
                                                   "optimizer"};
  return kNames.at(static_cast<std::size_t>(phase));
}

Access access_of(const Op& op, std::size_t index) {
  if (op.kernel) return access_of(*op.kernel, index);
  return index == 0 ? Access::in : Access::out;
}

CommAccess comm_access(const CommShape& shape, const Group& group) {
  const auto n = static_cast<std::int64_t>(group.ranks.size());
  const bool is_root = shape.root == group.index;
  const auto total = [](const std::vector<std::int64_t>& counts) {
    std::int64_t sum = 0;
    for (const std::int64_t count : counts) sum += count;
    return sum;
  };
  switch (shape.verb) {
    case Verb::all_reduce:
      return {.send = shape.count, .recv = shape.count};
    case Verb::all_gather:
      return {.send = shape.count, .recv = shape.count * n};
    case Verb::reduce_scatter:
      return {.send = shape.count * n, .recv = shape.count};
    case Verb::all_to_all:
      return {.send = shape.count * n, .recv = shape.count * n};
    case Verb::all_to_all_v:
      return {.send = total(shape.send_counts), .recv = total(shape.recv_counts)};
    case Verb::broadcast:
      return {.send = is_root ? shape.count : 0, .recv = shape.count};
    case Verb::reduce:
      return {.send = shape.count, .recv = is_root ? shape.count : 0};
    case Verb::gather:
      return {.send = shape.count, .recv = is_root ? shape.count * n : 0};
    case Verb::scatter:
      return {.send = is_root ? shape.count * n : 0, .recv = shape.count};
    case Verb::send_recv:
      return {.send = shape.send_peer >= 0 ? shape.count : 0,
              .recv = shape.recv_peer >= 0 ? shape.count : 0};
    case Verb::barrier:
      return {};
  }
  return {};
}

double size_bytes(const CommShape& shape, const Group& group) {
  CommAccess access = comm_access(shape, group);
  if (shape.verb == Verb::send_recv) access.recv = 0;
  return static_cast<double>(std::max(access.send, access.recv)) *
         static_cast<double>(size_of(shape.dtype));
}

double bus_bytes(const CommShape& shape, const Group& group) {
  if (shape.verb == Verb::all_to_all_v) {  // what each rank sends to others is known
    const std::int64_t own = shape.send_counts[static_cast<std::size_t>(group.index)];
    return static_cast<double>(comm_access(shape, group).send - own) *
           static_cast<double>(size_of(shape.dtype));
  }
  return bus_factor(shape.verb, static_cast<int>(group.ranks.size())) * size_bytes(shape, group);
}

double bus_bytes(const Program& program, const Group& group) {
  double bytes = 0;
  for (const Op& op : program.ops) {
    if (op.comm && op.comm->axis == group.axis) bytes += bus_bytes(*op.comm, group);
  }
  return bytes;
}

double kernel_flops(const Program& program) {
  double flops = 0;
  for (const Op& op : program.ops) flops += op.kernel ? flops_of(*op.kernel) : 0.0;
  return flops;
}

std::int64_t memory_bytes(const Program& program) {
  std::int64_t bytes = 0;
  for (const BufferDecl& buffer : program.buffers) {
    bytes += buffer.elements * static_cast<std::int64_t>(size_of(buffer.dtype));
  }
  return bytes;
}

std::int64_t memory_bytes(const Program& program, BufferKind kind) {
  std::int64_t bytes = 0;
  for (const BufferDecl& buffer : program.buffers) {
    if (buffer.kind == kind) {
      bytes += buffer.elements * static_cast<std::int64_t>(size_of(buffer.dtype));
    }
  }
  return bytes;
}

}  // namespace stepmark
