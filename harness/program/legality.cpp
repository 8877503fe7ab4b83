// SPDX-License-Identifier: Apache-2.0
// Pure: each check returns what is wrong in words, empty for nothing; the caller says of which rank
// and op. Limits are such that all sums of elements fit 64 bits.
#include "harness/program/legality.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "harness/spec/limits.h"

namespace stepmark {
namespace {

// One operand: inside its buffer, of the size and type that its op asks for. `needed` 0: absent or
// unused (a rooted verb's away from the root), and then only within its buffer.
std::string operand_problem(const Program& program, const BufferSlice& slice, std::int64_t needed,
                            DType dtype) {
  if (slice.buffer < 0) {
    return needed == 0 ? "" : fmt::format("is absent; {} {} needed", needed, name_of(dtype));
  }
  if (slice.buffer >= std::ssize(program.buffers)) {
    return fmt::format("names buffer {} of {}", slice.buffer, program.buffers.size());
  }
  const BufferDecl& buffer = program.buffers[static_cast<std::size_t>(slice.buffer)];
  if (slice.offset < 0 || slice.elements < 0 || buffer.elements < slice.elements ||
      slice.offset > buffer.elements - slice.elements) {
    return fmt::format("lies outside its buffer {}: [{}+{}] of {} elements", buffer.name,
                       slice.offset, slice.elements, buffer.elements);
  }
  if (needed > 0 && slice.elements != needed) {
    return fmt::format("has {} elements of {}; {} needed", slice.elements, buffer.name, needed);
  }
  if (needed > 0 && buffer.dtype != dtype) {
    return fmt::format("is {} ({}); {} needed", name_of(buffer.dtype), buffer.name, name_of(dtype));
  }
  return "";
}

std::string kernel_problem(const Program& program, const Op& op) {
  const OpShape& shape = *op.kernel;
  try {
    validate_shape(shape);
  } catch (const Error& error) {
    return error.message();
  }
  const OpInfo& info = info_of(shape.id);
  if (op.operands.size() != info.operands.size()) {
    return fmt::format("{} operands; {} takes {}", op.operands.size(), info.name,
                       info.operands.size());
  }
  for (std::size_t i = 0; i < op.operands.size(); ++i) {
    const std::string problem =
        operand_problem(program, op.operands[i], elements_of(shape, i), dtype_of(shape, i));
    if (!problem.empty()) return fmt::format("operand '{}' {}", info.operands[i].name, problem);
  }
  return "";
}

// Where operands of one buffer may lie: apart, or in place as Comm has it.
std::string place_problem(const Op& op, const Group& group) {
  const BufferSlice& send = op.operands[0];
  const BufferSlice& recv = op.operands[1];
  const bool apart = send.buffer != recv.buffer || send.buffer < 0 || send.elements == 0 ||
                     recv.elements == 0 || send.offset + send.elements <= recv.offset ||
                     recv.offset + recv.elements <= send.offset;
  if (apart) return "";
  const std::int64_t own = group.index * op.comm->count;
  std::int64_t recv_in_send = 0;
  switch (op.comm->verb) {
    case Verb::all_reduce:
    case Verb::reduce:
    case Verb::broadcast:
      break;
    case Verb::all_gather:
      recv_in_send = -own;
      break;
    case Verb::reduce_scatter:
      recv_in_send = own;
      break;
    default:
      return "operands overlap, and it has no form in place";
  }
  if (recv.offset - send.offset == recv_in_send) return "";
  return fmt::format("operands overlap but not as in place: recv at {:+} from send, expected {:+}",
                     recv.offset - send.offset, recv_in_send);
}

std::string comm_problem(const Program& program, const Op& op) {
  const auto group = std::find_if(program.groups.begin(), program.groups.end(),
                                  [&](const Group& g) { return g.axis == op.comm->axis; });
  if (group == program.groups.end()) return fmt::format("there is no group '{}'", op.comm->axis);
  const std::string problem = shape_problem(*op.comm, *group);
  if (!problem.empty()) return fmt::format("{}: {}", name_of(op.comm->verb), problem);
  if (op.operands.size() != 2) {
    return fmt::format("{} operands; a communication has two, send and recv", op.operands.size());
  }
  const CommAccess access = comm_access(*op.comm, *group);
  const std::string send = operand_problem(program, op.operands[0], access.send, op.comm->dtype);
  if (!send.empty()) return "operand 'send' " + send;
  const std::string recv = operand_problem(program, op.operands[1], access.recv, op.comm->dtype);
  return recv.empty() ? place_problem(op, *group) : "operand 'recv' " + recv;
}

}  // namespace

std::string shape_problem(const CommShape& shape, const Group& group) {
  const auto size = static_cast<std::int32_t>(group.ranks.size());
  // What all ranks of a group send together is exact in 64 bits.
  const std::int64_t most = kMaxElements / std::max<std::int64_t>(1, size);
  if (shape.count < 0 || shape.count > most) {
    return fmt::format("a count of {}, expected from 0 to {}", shape.count, most);
  }
  if (shape.send_peer >= size || shape.recv_peer >= size) {
    return fmt::format("peers {} and {} of a group of {}", shape.send_peer, shape.recv_peer, size);
  }
  if (shape.root >= size) return fmt::format("root {} of a group of {}", shape.root, size);
  if (is_rooted(shape.verb) && shape.root < 0) return "no root";
  if (!is_rooted(shape.verb) && shape.root >= 0) return "a root, which it has not";
  if (shape.verb != Verb::send_recv && (shape.send_peer >= 0 || shape.recv_peer >= 0)) {
    return "peers, which it has not";
  }
  switch (shape.verb) {
    case Verb::send_recv:
      return shape.send_peer < 0 && shape.recv_peer < 0 ? "neither sends nor receives" : "";
    case Verb::all_to_all_v:
      for (const auto* counts : {&shape.send_counts, &shape.recv_counts}) {
        if (std::ssize(*counts) != size ||
            std::any_of(counts->begin(), counts->end(),
                        [&](std::int64_t c) { return c < 0 || c > most; })) {
          return fmt::format("needs {} counts to send and as many to receive, each at most {}",
                             size, most);
        }
      }
      return "";
    default:
      return "";
  }
}

std::string op_problem(const Program& program, std::int32_t index) {
  const Op& op = program.ops[static_cast<std::size_t>(index)];
  if (op.stream < 0 || op.stream >= std::ssize(program.streams)) {
    return fmt::format("stream {} of {} streams", op.stream, program.streams.size());
  }
  for (const std::int32_t dep : op.deps) {
    if (dep < 0 || dep >= index) {
      return fmt::format("waits for op {}, which is not earlier", dep);
    }
  }
  if (op.kernel.has_value() == op.comm.has_value()) {
    return "must be either a kernel or a communication";
  }
  return op.kernel ? kernel_problem(program, op) : comm_problem(program, op);
}

void check_ops(const Program& program) {
  for (std::int32_t i = 0; i < std::ssize(program.ops); ++i) {
    const std::string problem = op_problem(program, i);
    STEPMARK_REQUIRE(problem.empty(), "{}: op {} \"{}\": {}", program.name, i,
                     program.ops[static_cast<std::size_t>(i)].label, problem);
  }
}

}  // namespace stepmark
