// SPDX-License-Identifier: Apache-2.0
// Guard zones lie inside the program's own buffers, so that collectives among other ops are
// verified as strongly as alone; in place, send and receive are parts of one buffer. Filled and
// checked by CollectiveBuffers.
#include "harness/cases/traffic.h"

#include <utility>

#include "core/error.h"

namespace stepmark {
namespace {

// A buffer with its guards, in elements. Guards are whole elements of every type.
std::int64_t zone_elements(std::size_t bytes, DType dtype) {
  return static_cast<std::int64_t>(GuardedMemory::zone_bytes(bytes) / size_of(dtype));
}

// `elements` from `offset` on behind the guard of a zone.
BufferSlice operand(BufferSlice zone, DType dtype, std::size_t offset, std::int64_t elements) {
  const auto begin = static_cast<std::int64_t>(kGuardBytes / size_of(dtype) + offset);
  return ProgramBuilder::part(zone, begin, elements);
}

}  // namespace

Traffic make_traffic(Group group, const Collective& collective, const CollectiveSetup& setup) {
  Traffic traffic{.group = std::move(group),
                  .collective = &collective,
                  .setup = setup,
                  .sizes = {},
                  .shape = {}};
  traffic.sizes = collective.sizes(setup, traffic.ranks());
  traffic.shape = collective.shape(setup, traffic.ranks(), traffic.group.index);
  traffic.shape.axis = traffic.group.axis;
  return traffic;
}

Traffic make_traffic(Group group, CollectiveKind kind, DType dtype, std::int64_t bytes,
                     std::uint64_t seed) {
  Traffic traffic = make_traffic(std::move(group), collective(kind),
                                 {.size_bytes = bytes, .dtype = dtype, .seed = seed});
  STEPMARK_REQUIRE(traffic.sizes.verb_count > 0, "{} of {} bytes over {} ranks moves nothing",
                   name_of(kind), bytes, traffic.ranks());
  return traffic;
}

Group world_group(std::string axis, const Control& control) {
  Group group{.axis = std::move(axis), .ranks = {}, .index = control.rank()};
  for (int rank = 0; rank < control.size(); ++rank) group.ranks.push_back(rank);
  return group;
}

Comm& OneComm::of(std::string_view axis) {
  STEPMARK_REQUIRE(axis == axis_, "no group of axis {}", axis);
  return comm_;
}

TrafficOperands add_buffers(ProgramBuilder& builder, const Traffic& traffic,
                            const std::string& name) {
  const DType dtype = traffic.setup.dtype;
  const CollectiveBytes bytes = buffer_bytes(*traffic.collective, traffic.setup, traffic.ranks());
  // Filled before the program runs and read behind it.
  const auto add = [&](const char* which, std::size_t size) {
    return builder.add_buffer(name + which, BufferKind::input, dtype, zone_elements(size, dtype));
  };
  const BufferSlice send = add(".send", bytes.send);
  const BufferSlice recv = add(".recv", bytes.recv);
  const CommAccess access = comm_access(traffic.shape, traffic.group);
  if (!traffic.setup.in_place) {
    return {.send = operand(send, dtype, 0, access.send),
            .recv = operand(recv, dtype, 0, access.recv)};
  }
  const InPlaceOffsets at = in_place_offsets(traffic.sizes, traffic.group.index);
  return {.send = operand(recv, dtype, at.send, access.send),
          .recv = operand(recv, dtype, at.recv, access.recv)};
}

CollectiveBuffers buffers_of(Device& device, const Traffic& traffic, Runnable& runnable,
                             const std::string& name, const Comm& comm) {
  const Program& program = runnable.program();
  CollectiveBuffers buffers(device, *traffic.collective, traffic.setup, traffic.group.index,
                            traffic.ranks(),
                            {.send = runnable.buffer(program.buffer_index(name + ".send")),
                             .recv = runnable.buffer(program.buffer_index(name + ".recv"))});
  buffers.made_by(comm);
  return buffers;
}

}  // namespace stepmark
