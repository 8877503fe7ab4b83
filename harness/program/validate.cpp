// SPDX-License-Identifier: Apache-2.0
#include "harness/program/validate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "harness/program/match.h"
#include "harness/program/text.h"
#include "harness/spec/limits.h"

namespace stepmark {
namespace {

using Found = std::vector<std::string>;

// One operand: inside its buffer, of the size and type that its op asks for (0: may be absent).
std::string operand_problem(const Program& program, const BufferSlice& slice, std::int64_t needed,
                            DType dtype) {
  if (slice.buffer < 0) return needed == 0 ? "" : fmt::format("is absent; {} needed", needed);
  if (slice.buffer >= std::ssize(program.buffers)) return "names a buffer that does not exist";
  const BufferDecl& buffer = program.buffers[static_cast<std::size_t>(slice.buffer)];
  if (slice.offset < 0 || slice.elements < 0 || buffer.elements < slice.elements ||
      slice.offset > buffer.elements - slice.elements) {
    return "lies outside its buffer " + buffer.name;
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

std::string comm_shape_problem(const CommShape& shape, const Group& group) {
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

std::string comm_problem(const Program& program, const Op& op) {
  const auto group = std::find_if(program.groups.begin(), program.groups.end(),
                                  [&](const Group& g) { return g.axis == op.comm->axis; });
  if (group == program.groups.end()) return fmt::format("there is no group '{}'", op.comm->axis);
  const std::string problem = comm_shape_problem(*op.comm, *group);
  if (!problem.empty()) return fmt::format("{}: {}", name_of(op.comm->verb), problem);
  if (op.operands.size() != 2) return "a communication has two operands, send and recv";
  const CommAccess access = comm_access(*op.comm, *group);
  const std::string send = operand_problem(program, op.operands[0], access.send, op.comm->dtype);
  if (!send.empty()) return "operand 'send' " + send;
  const std::string recv = operand_problem(program, op.operands[1], access.recv, op.comm->dtype);
  return recv.empty() ? "" : "operand 'recv' " + recv;
}

void check_local(const Program& program, Found& found) {
  std::map<std::string, std::int32_t> stream_of_axis;
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    const auto report = [&](std::string_view problem) {
      found.push_back(fmt::format("rank {} op {} '{}': {}", program.rank, i, op.label, problem));
    };
    if (op.stream < 0 || op.stream >= std::ssize(program.streams)) {
      report(fmt::format("stream {} does not exist", op.stream));
    }
    for (const std::int32_t dep : op.deps) {
      if (dep < 0 || dep >= static_cast<std::int32_t>(i)) {
        report(fmt::format("waits for op {}, which is not earlier", dep));
      }
    }
    if (op.kernel.has_value() == op.comm.has_value()) {
      report("must be a kernel or a communication");
      continue;
    }
    const std::string problem = op.kernel ? kernel_problem(program, op) : comm_problem(program, op);
    if (!problem.empty()) report(problem);
    if (!op.comm) continue;
    const auto [at, first] = stream_of_axis.try_emplace(op.comm->axis, op.stream);
    if (!first && at->second != op.stream) {
      report(fmt::format("group '{}' is used on two streams, so its order is not defined",
                         op.comm->axis));
    }
  }
}

// Whether the group names its own rank at its own index, and no axis has two groups.
void check_own_place(const Program& program, Found& found) {
  std::set<std::string_view> axes;
  for (const Group& group : program.groups) {
    const bool present = group.index >= 0 && group.index < std::ssize(group.ranks) &&
                         group.ranks[static_cast<std::size_t>(group.index)] == program.rank;
    if (!present) {
      found.push_back(fmt::format("rank {}: group '{}' = [{}] does not have it at index {}",
                                  program.rank, group.axis, fmt::join(group.ranks, " "),
                                  group.index));
    }
    if (!axes.insert(group.axis).second) {
      found.push_back(fmt::format("rank {}: two groups '{}'", program.rank, group.axis));
    }
  }
}

void check_groups(std::span<const Program> programs, Found& found) {
  for (const Program& program : programs) {
    check_own_place(program, found);
    if (program.world_size != static_cast<std::int32_t>(programs.size())) {
      found.push_back(fmt::format("rank {}: world size {} but there are {} programs", program.rank,
                                  program.world_size, programs.size()));
      return;
    }
    for (const Group& group : program.groups) {
      for (std::size_t i = 0; i < group.ranks.size(); ++i) {
        const std::int32_t member = group.ranks[i];
        if (member < 0 || member >= program.world_size) {
          found.push_back(fmt::format("rank {}: group '{}' names rank {} of a world of {}",
                                      program.rank, group.axis, member, program.world_size));
          continue;
        }
        const Program& other = programs[static_cast<std::size_t>(member)];
        const bool agrees =
            std::any_of(other.groups.begin(), other.groups.end(), [&](const Group& g) {
              return g.axis == group.axis && g.ranks == group.ranks &&
                     g.index == static_cast<std::int32_t>(i);
            });
        if (!agrees) {
          found.push_back(fmt::format("ranks {} and {} disagree about group '{}' = [{}]",
                                      program.rank, member, group.axis,
                                      fmt::join(group.ranks, " ")));
        }
      }
    }
  }
}

}  // namespace

std::vector<std::string> problems(std::span<const Program> programs) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < programs.size(); ++i) {
    if (programs[i].rank != static_cast<std::int32_t>(i)) {
      found.push_back(fmt::format("program {} says it is rank {}", i, programs[i].rank));
    }
    check_local(programs[i], found);
  }
  if (found.empty()) check_groups(programs, found);
  if (!found.empty()) return found;
  Matching matching = match_communication(programs);
  if (!matching.problems.empty()) return matching.problems;
  return find_deadlock(programs, matching);
}

void validate(std::span<const Program> programs) {
  const std::vector<std::string> found = problems(programs);
  if (!found.empty()) {
    throw Error(ExitCode::kUsage, fmt::format("invalid program: {}", fmt::join(found, "\n  ")));
  }
}

}  // namespace stepmark
