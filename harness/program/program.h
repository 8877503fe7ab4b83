// SPDX-License-Identifier: Apache-2.0
// The step program of one rank: a flat list of operations on streams, with dependencies, over named
// buffers. A plain value: built by harness/program/lowering, printed and parsed by text.h,
// checked across ranks by validate.h, run by harness/exec, costed by a simulator. It knows neither
// MPI nor CUDA.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collectives/comm_shape.h"
#include "core/dtype.h"
#include "kernels/op.h"

namespace stepmark {

enum class BufferKind : std::uint8_t {
  param,
  grad,
  optimizer,
  activation,
  workspace,
  input,
  scalar
};

struct BufferDecl {
  std::string name;
  BufferKind kind = BufferKind::activation;
  DType dtype = DType::f32;
  std::int64_t elements = 0;
  bool operator==(const BufferDecl&) const = default;
};

// A slice [offset, offset + elements) of a buffer, in elements. An absent operand (an op's optional
// bias, say) has buffer = -1.
struct BufferSlice {
  std::int32_t buffer = -1;
  std::int64_t offset = 0;
  std::int64_t elements = 0;
  bool operator==(const BufferSlice&) const = default;
};

// What part of the step an op belongs to: the time split of a record is by phase.
enum class Phase : std::uint8_t { forward, loss, backward, gradient_sync, optimizer };

struct Op {
  std::string label;  // "layer3.attn.qkv", for timelines and errors
  Phase phase = Phase::forward;
  std::int32_t stream = 0;        // index into Program::streams
  std::optional<OpShape> kernel;  // exactly one of kernel and comm is set
  std::optional<CommShape> comm;
  std::vector<BufferSlice> operands;  // kernel: order of OpInfo::operands; comm: send, recv
  std::vector<std::int32_t> deps;     // indices of earlier ops on *other* streams to wait for
  bool operator==(const Op&) const = default;
};

// A group of this rank: axis name, its members as global ranks, and this rank's index in it. An
// axis whose transfers must not wait for each other has several groups, named "AXIS.WHAT".
struct Group {
  std::string axis;
  std::vector<std::int32_t> ranks;
  std::int32_t index = 0;
  bool operator==(const Group&) const = default;
};

struct Program {
  std::string name;  // workload, plan and rank
  std::int32_t rank = 0;
  std::int32_t world_size = 1;
  std::vector<std::string> streams;  // "compute", and one per axis
  std::vector<Group> groups;
  std::vector<BufferDecl> buffers;
  std::vector<Op> ops;  // issue order; ops of one stream run in this order
  bool operator==(const Program&) const = default;

  [[nodiscard]] std::int32_t buffer_index(std::string_view name) const;  // -1 when absent
  [[nodiscard]] const Group& group(std::string_view axis) const;         // Error when absent
};

// "pp" of "pp.forward.even", "tp" of "tp".
[[nodiscard]] std::string_view axis_of(std::string_view group);

[[nodiscard]] std::string_view name_of(BufferKind kind);
[[nodiscard]] std::string_view name_of(Phase phase);

// How an op uses operand `index`; of a communication the first is read, the second written.
[[nodiscard]] Access access_of(const Op& op, std::size_t index);

// Elements that a communication op reads from operand 0 and writes to operand 1 on this rank.
struct CommAccess {
  std::int64_t send = 0;
  std::int64_t recv = 0;
};
[[nodiscard]] CommAccess comm_access(const CommShape& shape, const Group& group);

// Bytes of one call as nccl-tests counts: the larger of what a rank sends and receives. Of a
// message what it sends.
[[nodiscard]] double size_bytes(const CommShape& shape, const Group& group);
// Bytes that this rank puts on the links of a group by one call, and per step: the volume of each
// op times its bus factor, of messages those that it sends.
[[nodiscard]] double bus_bytes(const CommShape& shape, const Group& group);
[[nodiscard]] double bus_bytes(const Program& program, const Group& group);

// FLOPs of all kernels, padding of their dims included.
[[nodiscard]] double kernel_flops(const Program& program);

// Bytes of all buffers, added up; the second form counts one kind. What a step needs at a time is
// less (memory_plan.h).
[[nodiscard]] std::int64_t memory_bytes(const Program& program);
[[nodiscard]] std::int64_t memory_bytes(const Program& program, BufferKind kind);

}  // namespace stepmark
