// SPDX-License-Identifier: Apache-2.0
// First each program by itself, then the groups, then what ranks do together: a later check may
// rely on what an earlier one has found to hold, and problems do not follow from each other.
#include "harness/program/validate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "harness/program/legality.h"
#include "harness/program/match.h"

namespace stepmark {
namespace {

using Found = std::vector<std::string>;

void check_local(const Program& program, Found& found) {
  std::map<std::string, std::int32_t> stream_of_axis;
  for (std::int32_t i = 0; i < std::ssize(program.ops); ++i) {
    const Op& op = program.ops[static_cast<std::size_t>(i)];
    const auto report = [&](std::string_view problem) {
      found.push_back(fmt::format("rank {} op {} '{}': {}", program.rank, i, op.label, problem));
    };
    const std::string problem = op_problem(program, i);
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

// Whether the groups of each rank are those of the program that it plays.
void check_roles(const Cast& cast, Found& found) {
  std::vector<std::size_t> groups(cast.role_of.size(), 0);
  const auto program_of = [&](std::int32_t rank) -> const Program& {
    return *cast.programs[static_cast<std::size_t>(cast.role_of[static_cast<std::size_t>(rank)])];
  };
  for (std::size_t role = 0; role < cast.programs.size(); ++role) {
    const std::int32_t rank = cast.programs[role]->rank;
    if (rank >= 0 && rank < std::ssize(cast.role_of) && program_of(rank).rank == rank) {
      continue;
    }
    found.push_back(fmt::format("role {} is that of rank {}, which does not play it", role, rank));
    return;
  }
  for (const auto& [axis, all] : cast.axes) {
    for (const auto& ranks : all) {
      for (std::size_t i = 0; i < ranks.size(); ++i) {
        ++groups[static_cast<std::size_t>(ranks[i])];
        const Program& program = program_of(ranks[i]);
        const auto own = std::find_if(program.groups.begin(), program.groups.end(),
                                      [&axis = axis](const Group& g) { return g.axis == axis; });
        const bool known = own != program.groups.end() && own->ranks.size() == ranks.size();
        const bool itself = known && program.rank == ranks[i];
        if (known && (!itself || (own->ranks == ranks && own->index == static_cast<int>(i)))) {
          continue;
        }
        found.push_back(fmt::format("rank {} plays the role of rank {}, which has {} group '{}'",
                                    ranks[i], program.rank, known ? "another" : "no such", axis));
        return;
      }
    }
  }
  for (std::size_t rank = 0; rank < groups.size(); ++rank) {
    const Program& program = program_of(static_cast<std::int32_t>(rank));
    if (program.world_size == std::ssize(groups) && program.groups.size() == groups[rank]) continue;
    found.push_back(fmt::format(
        "rank {} of {} in {} groups plays the role of rank {} of {} in {} groups", rank,
        groups.size(), groups[rank], program.rank, program.world_size, program.groups.size()));
    return;
  }
}

Found problems_between(const Cast& cast) {
  const Classes classes = classes_of(cast);
  Matching matching = match_communication(classes);
  if (!matching.problems.empty()) return matching.problems;
  return find_deadlock(classes, matching);
}

void refuse(const Found& found) {
  if (found.empty()) return;
  throw Error(ExitCode::kUsage, fmt::format("invalid program: {}", fmt::join(found, "\n  ")));
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
  return found.empty() ? problems_between(cast_of(programs)) : found;
}

std::vector<std::string> problems(const Cast& cast) {
  std::vector<std::string> found;
  for (const Program* program : cast.programs) {
    check_local(*program, found);
    if (found.empty()) check_own_place(*program, found);
  }
  if (found.empty()) check_roles(cast, found);
  return found.empty() ? problems_between(cast) : found;
}

void validate(std::span<const Program> programs) { refuse(problems(programs)); }
void validate(const Cast& cast) { refuse(problems(cast)); }

}  // namespace stepmark
