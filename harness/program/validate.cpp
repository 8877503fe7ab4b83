// SPDX-License-Identifier: Apache-2.0
#include "harness/program/validate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>

#include "core/error.h"
#include "harness/program/match.h"
#include "harness/program/text.h"

namespace stepmark {
namespace {

void check_local(const Program& program, std::vector<std::string>& found) {
  const auto op_name = [&](std::size_t i) {
    return fmt::format("rank {} op {} '{}'", program.rank, i, program.ops[i].label);
  };
  std::map<std::string, std::int32_t> stream_of_axis;
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    if (op.stream < 0 || op.stream >= static_cast<std::int32_t>(program.streams.size())) {
      found.push_back(fmt::format("{}: stream {} does not exist", op_name(i), op.stream));
    }
    if (op.kernel.has_value() == op.comm.has_value()) {
      found.push_back(fmt::format("{}: must be a kernel or a communication", op_name(i)));
      continue;
    }
    for (const BufferSlice& slice : op.operands) {
      if (slice.buffer < 0) continue;
      if (slice.buffer >= static_cast<std::int32_t>(program.buffers.size()) || slice.offset < 0 ||
          slice.elements < 0 ||
          slice.offset + slice.elements >
              program.buffers[static_cast<std::size_t>(slice.buffer)].elements) {
        found.push_back(fmt::format("{}: an operand lies outside its buffer", op_name(i)));
      }
    }
    for (const std::int32_t dep : op.deps) {
      if (dep < 0 || dep >= static_cast<std::int32_t>(i)) {
        found.push_back(fmt::format("{}: waits for op {}, which is not earlier", op_name(i), dep));
      }
    }
    if (!op.comm) continue;
    const bool known = std::any_of(program.groups.begin(), program.groups.end(),
                                   [&](const Group& g) { return g.axis == op.comm->axis; });
    if (!known) {
      found.push_back(fmt::format("{}: there is no group '{}'", op_name(i), op.comm->axis));
      continue;
    }
    const auto [at, first] = stream_of_axis.try_emplace(op.comm->axis, op.stream);
    if (!first && at->second != op.stream) {
      found.push_back(
          fmt::format("{}: group '{}' is used on two streams, so its order is not defined",
                      op_name(i), op.comm->axis));
    }
  }
}

void check_groups(std::span<const Program> programs, std::vector<std::string>& found) {
  for (const Program& program : programs) {
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
