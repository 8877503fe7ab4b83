// SPDX-License-Identifier: Apache-2.0
#include "harness/program/match.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "harness/program/text.h"

namespace stepmark {
namespace {

const Op& op_at(std::span<const Program> programs, OpPlace place) {
  return programs[static_cast<std::size_t>(place.first)]
      .ops[static_cast<std::size_t>(place.second)];
}

const CommShape& comm_at(std::span<const Program> programs, OpPlace place) {
  return op_at(programs, place).comm.value();
}

// What every member does as its k-th call on the group: the grid of an error.
std::string grid(std::span<const Program> programs, const std::vector<std::int32_t>& ranks,
                 const std::map<std::int32_t, std::vector<std::int32_t>>& calls, std::size_t k) {
  std::string text;
  for (const std::int32_t rank : ranks) {
    const auto& list = calls.at(rank);
    text += fmt::format("\n    rank {}: {}", rank,
                        k < list.size() ? fmt::format("op {} '{}' {}", list[k],
                                                      op_at(programs, {rank, list[k]}).label,
                                                      to_text(comm_at(programs, {rank, list[k]})))
                                        : std::string("nothing more"));
  }
  return text;
}

bool same_call(const CommShape& a, const CommShape& b) {
  if (a.verb != b.verb || a.dtype != b.dtype) return false;
  if (a.verb == Verb::all_to_all_v) return true;  // counts are checked pair by pair
  return a.op == b.op && a.count == b.count && a.root == b.root;
}

class Matcher {
 public:
  explicit Matcher(std::span<const Program> programs) : programs_(programs) {}

  Matching run() {
    for (const Program& program : programs_) {
      for (const Group& group : program.groups) {
        if (group.index == 0) match_group(group);
      }
    }
    return std::move(result_);
  }

 private:
  // Collective calls of each member, in order; messages are collected by (source, destination).
  void match_group(const Group& group) {
    std::map<std::int32_t, std::vector<std::int32_t>> calls;
    std::map<std::pair<std::int32_t, std::int32_t>, std::vector<OpPlace>> sends, receives;
    for (const std::int32_t rank : group.ranks) {
      const Program& program = programs_[static_cast<std::size_t>(rank)];
      calls[rank] = {};
      for (std::size_t i = 0; i < program.ops.size(); ++i) {
        const auto& comm = program.ops[i].comm;
        if (!comm || comm->axis != group.axis) continue;
        const OpPlace place{rank, static_cast<std::int32_t>(i)};
        if (comm->verb != Verb::send_recv) {
          calls[rank].push_back(place.second);
          continue;
        }
        const auto peer_rank = [&](std::int32_t peer) {
          return group.ranks[static_cast<std::size_t>(peer)];
        };
        if (comm->send_peer >= 0) sends[{rank, peer_rank(comm->send_peer)}].push_back(place);
        if (comm->recv_peer >= 0) receives[{peer_rank(comm->recv_peer), rank}].push_back(place);
      }
    }
    match_collectives(group, calls);
    match_messages(group, sends, receives);
  }

  void match_collectives(const Group& group,
                         const std::map<std::int32_t, std::vector<std::int32_t>>& calls) {
    std::size_t most = 0;
    for (const auto& [rank, list] : calls) most = std::max(most, list.size());
    for (std::size_t k = 0; k < most; ++k) {
      std::vector<OpPlace> meeting;
      const CommShape* first = nullptr;
      for (const std::int32_t rank : group.ranks) {
        const auto& list = calls.at(rank);
        const CommShape* call = k < list.size() ? &comm_at(programs_, {rank, list[k]}) : nullptr;
        if (first == nullptr) first = call;
        if (call == nullptr || !same_call(*first, *call)) {
          result_.problems.push_back(
              fmt::format("group '{}' = [{}]: call {} differs between ranks:{}", group.axis,
                          fmt::join(group.ranks, " "), k, grid(programs_, group.ranks, calls, k)));
          return;
        }
        meeting.emplace_back(rank, list[k]);
      }
      check_counts(group, meeting);
      result_.meetings.push_back(std::move(meeting));
    }
  }

  // all-to-all-v: what i sends to j is what j receives from i.
  void check_counts(const Group& group, const std::vector<OpPlace>& meeting) {
    for (std::size_t i = 0; i < meeting.size(); ++i) {
      const CommShape& from = comm_at(programs_, meeting[i]);
      if (from.verb != Verb::all_to_all_v) return;
      for (std::size_t j = 0; j < meeting.size(); ++j) {
        const CommShape& to = comm_at(programs_, meeting[j]);
        if (from.send_counts.size() == meeting.size() && to.recv_counts.size() == meeting.size() &&
            from.send_counts[j] == to.recv_counts[i]) {
          continue;
        }
        result_.problems.push_back(fmt::format(
            "group '{}': rank {} op '{}' and rank {} disagree about the elements that pass "
            "between them",
            group.axis, meeting[i].first, op_at(programs_, meeting[i]).label, meeting[j].first));
        return;
      }
    }
  }

  using Messages = std::map<std::pair<std::int32_t, std::int32_t>, std::vector<OpPlace>>;
  void match_messages(const Group& group, const Messages& sends, const Messages& receives) {
    static const std::vector<OpPlace> kNone;
    std::map<std::pair<std::int32_t, std::int32_t>, bool> pairs;
    for (const auto& [pair, list] : sends) pairs[pair] = true;
    for (const auto& [pair, list] : receives) pairs[pair] = true;
    for (const auto& [pair, unused] : pairs) {
      const auto& out = sends.contains(pair) ? sends.at(pair) : kNone;
      const auto& in = receives.contains(pair) ? receives.at(pair) : kNone;
      for (std::size_t k = 0; k < std::max(out.size(), in.size()); ++k) {
        const auto describe = [&](const std::vector<OpPlace>& list, std::string_view verb) {
          if (k >= list.size()) return fmt::format("has no {} number {}", verb, k);
          const Op& op = op_at(programs_, list[k]);
          return fmt::format("op {} '{}' {}", list[k].second, op.label, to_text(*op.comm));
        };
        const bool fits = k < out.size() && k < in.size() &&
                          comm_at(programs_, out[k]).count == comm_at(programs_, in[k]).count &&
                          comm_at(programs_, out[k]).dtype == comm_at(programs_, in[k]).dtype;
        if (!fits) {
          result_.problems.push_back(fmt::format(
              "group '{}': message {} from rank {} to rank {} does not match:\n    rank {}: "
              "{}\n    rank {}: {}",
              group.axis, k, pair.first, pair.second, pair.first, describe(out, "send"),
              pair.second, describe(in, "receive")));
          return;
        }
        result_.meetings.push_back({out[k], in[k]});
      }
    }
  }

  std::span<const Program> programs_;
  Matching result_;
};

}  // namespace

Matching match_communication(std::span<const Program> programs) { return Matcher(programs).run(); }

std::vector<std::string> find_deadlock(std::span<const Program> programs,
                                       const Matching& matching) {
  std::map<OpPlace, std::vector<std::size_t>> meetings_of;
  for (std::size_t m = 0; m < matching.meetings.size(); ++m) {
    for (const OpPlace& place : matching.meetings[m]) meetings_of[place].push_back(m);
  }
  std::vector<std::size_t> arrived(matching.meetings.size(), 0);
  struct StreamState {
    std::vector<std::int32_t> ops;
    std::size_t next = 0;
    bool waiting = false;  // arrived at its meetings, which are not complete yet
  };
  std::vector<std::vector<StreamState>> streams(programs.size());
  std::vector<std::vector<bool>> done(programs.size());
  for (std::size_t r = 0; r < programs.size(); ++r) {
    streams[r].resize(programs[r].streams.size());
    done[r].assign(programs[r].ops.size(), false);
    for (std::size_t i = 0; i < programs[r].ops.size(); ++i) {
      streams[r][static_cast<std::size_t>(programs[r].ops[i].stream)].ops.push_back(
          static_cast<std::int32_t>(i));
    }
  }
  // Advances one stream by one op if it can.
  const auto advance = [&](std::size_t r, StreamState& stream) {
    if (stream.next >= stream.ops.size()) return false;
    const std::int32_t index = stream.ops[stream.next];
    const Op& op = programs[r].ops[static_cast<std::size_t>(index)];
    for (const std::int32_t dep : op.deps) {
      if (!done[r][static_cast<std::size_t>(dep)]) return false;
    }
    const auto found = meetings_of.find({static_cast<std::int32_t>(r), index});
    bool moved = false;
    if (found != meetings_of.end()) {
      if (!stream.waiting) {
        for (const std::size_t m : found->second) ++arrived[m];
        stream.waiting = true;
        moved = true;
      }
      for (const std::size_t m : found->second) {
        if (arrived[m] < matching.meetings[m].size()) return moved;
      }
    }
    done[r][static_cast<std::size_t>(index)] = true;
    ++stream.next;
    stream.waiting = false;
    return true;
  };
  bool moved = true;
  while (moved) {
    moved = false;
    for (std::size_t r = 0; r < programs.size(); ++r) {
      for (StreamState& stream : streams[r]) {
        while (advance(r, stream)) moved = true;
      }
    }
  }
  std::string stuck;
  for (std::size_t r = 0; r < programs.size(); ++r) {
    for (std::size_t s = 0; s < streams[r].size(); ++s) {
      const StreamState& stream = streams[r][s];
      if (stream.next >= stream.ops.size()) continue;
      const std::int32_t index = stream.ops[stream.next];
      const Op& op = programs[r].ops[static_cast<std::size_t>(index)];
      stuck += fmt::format("\n    rank {} stream {}: op {} '{}' {}", r, programs[r].streams[s],
                           index, op.label, op.comm ? to_text(*op.comm) : to_text(*op.kernel));
    }
  }
  if (stuck.empty()) return {};
  return {"deadlock: no rank can go on; each is stuck at" + stuck};
}

}  // namespace stepmark
