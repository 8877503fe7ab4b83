// SPDX-License-Identifier: Apache-2.0
// Matches the k-th call on a group of every class, then plays all classes at once, each stream at
// its next op, until nobody moves: whoever is left is in a deadlock and is named with its op.
#include "harness/program/match.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "harness/program/order_text.h"
#include "harness/program/text.h"

namespace stepmark {
namespace {

using Formation = Classes::Formation;
using Calls = std::map<std::int32_t, std::vector<std::int32_t>>;  // by class: indices of ops

const Op& op_at(const Classes& classes, OpPlace place) {
  return classes.programs[static_cast<std::size_t>(place.first)]
      ->ops[static_cast<std::size_t>(place.second)];
}

const CommShape& comm_at(const Classes& classes, OpPlace place) {
  return op_at(classes, place).comm.value();
}

std::string described(const Classes& classes, OpPlace place) {
  const Op& op = op_at(classes, place);
  return fmt::format("op {} '{}' {}", place.second, op.label, to_text(*op.comm));
}

// What every member does as its k-th call on the group, and around it: the grid of an error.
// Members of one class are told by the first of them.
std::string grid(const Classes& classes, const Formation& formation, const Calls& calls,
                 std::size_t k) {
  std::string text;
  for (const auto& [of, list] : calls) {
    const auto first = std::find(formation.classes.begin(), formation.classes.end(), of);
    const auto alike = std::count(formation.classes.begin(), formation.classes.end(), of) - 1;
    text += fmt::format(
        "\n    rank {}{}: {}\n      in the order{}",
        formation.ranks[static_cast<std::size_t>(first - formation.classes.begin())],
        alike > 0 ? fmt::format(" and {} like it", alike) : std::string(),
        k < list.size() ? described(classes, {of, list[k]}) : std::string("nothing more"),
        order_around(*classes.programs[static_cast<std::size_t>(of)], list, k));
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
  explicit Matcher(const Classes& classes) : classes_(classes) {}

  Matching run() {
    for (const Formation& formation : classes_.formations) match_group(formation);
    return std::move(result_);
  }

 private:
  using Messages = std::map<std::pair<std::int32_t, std::int32_t>, std::vector<OpPlace>>;

  // Collective calls of each member, in order; messages are collected by (source, destination), as
  // indices in the group.
  void match_group(const Formation& formation) {
    Calls calls;
    Messages sends, receives;
    for (std::int32_t member = 0; member < std::ssize(formation.classes); ++member) {
      const std::int32_t of = formation.classes[static_cast<std::size_t>(member)];
      const Comms& comms = comms_of(of, formation.axis);
      calls.try_emplace(of, comms.collectives);
      for (const std::int32_t index : comms.messages) {
        const OpPlace place{of, index};
        const CommShape& comm = comm_at(classes_, place);
        if (comm.send_peer >= 0) sends[{member, comm.send_peer}].push_back(place);
        if (comm.recv_peer >= 0) receives[{comm.recv_peer, member}].push_back(place);
      }
    }
    match_collectives(formation, calls);
    match_messages(formation, sends, receives);
  }

  // Communication ops of a class on an axis, looked for once.
  struct Comms {
    std::vector<std::int32_t> collectives, messages;
  };
  const Comms& comms_of(std::int32_t of, const std::string& axis) {
    auto [found, fresh] = comms_.try_emplace(of);
    if (fresh) {
      const auto& ops = classes_.programs[static_cast<std::size_t>(of)]->ops;
      for (std::int32_t i = 0; i < std::ssize(ops); ++i) {
        const auto& comm = ops[static_cast<std::size_t>(i)].comm;
        if (!comm) continue;
        Comms& comms = found->second[comm->axis];
        const bool message = comm->verb == Verb::send_recv;
        (message ? comms.messages : comms.collectives).push_back(i);
      }
    }
    return found->second[axis];
  }

  void match_collectives(const Formation& formation, const Calls& calls) {
    std::size_t most = 0;
    for (const auto& [of, list] : calls) most = std::max(most, list.size());
    for (std::size_t k = 0; k < most; ++k) {
      std::vector<OpPlace> meeting;
      const CommShape* first = nullptr;
      for (const auto& [of, list] : calls) {
        const CommShape* call = k < list.size() ? &comm_at(classes_, {of, list[k]}) : nullptr;
        if (first == nullptr) first = call;
        if (call == nullptr || !same_call(*first, *call)) {
          result_.problems.push_back(
              fmt::format("group '{}' = [{}]: call {} differs between ranks:{}", formation.axis,
                          fmt::join(formation.ranks, " "), k, grid(classes_, formation, calls, k)));
          return;
        }
        meeting.emplace_back(of, list[k]);
      }
      check_root(formation, calls, k);
      check_counts(formation, calls, k);
      result_.meetings.push_back(std::move(meeting));
    }
  }

  // The root's operands differ from the others', so it cannot play their role.
  void check_root(const Formation& formation, const Calls& calls, std::size_t k) {
    const auto& [of, list] = *calls.begin();
    const CommShape& comm = comm_at(classes_, {of, list[k]});
    if (!is_rooted(comm.verb)) return;
    for (std::int32_t member = 0; member < std::ssize(formation.classes); ++member) {
      const auto at = static_cast<std::size_t>(member);
      const Program& program = *classes_.programs[static_cast<std::size_t>(formation.classes[at])];
      const bool plays_root = program.group(formation.axis).index == comm.root;
      if (plays_root == (member == comm.root)) continue;
      result_.problems.push_back(fmt::format(
          "group '{}': rank {} plays the role of rank {}, but only one of them is the root of op "
          "'{}'",
          formation.axis, formation.ranks[at], program.rank, op_at(classes_, {of, list[k]}).label));
      return;
    }
  }

  // all-to-all-v: what i sends to j is what j receives from i.
  void check_counts(const Formation& formation, const Calls& calls, std::size_t k) {
    const auto place = [&](std::size_t member) {
      const std::int32_t of = formation.classes[member];
      return OpPlace{of, calls.at(of)[k]};
    };
    const std::size_t size = formation.classes.size();
    for (std::size_t i = 0; i < size; ++i) {
      const CommShape& from = comm_at(classes_, place(i));
      if (from.verb != Verb::all_to_all_v) return;
      for (std::size_t j = 0; j < size; ++j) {
        const CommShape& to = comm_at(classes_, place(j));
        if (from.send_counts.size() == size && to.recv_counts.size() == size &&
            from.send_counts[j] == to.recv_counts[i]) {
          continue;
        }
        result_.problems.push_back(fmt::format(
            "group '{}': rank {} op '{}' and rank {} disagree about the elements that pass "
            "between them",
            formation.axis, formation.ranks[i], op_at(classes_, place(i)).label,
            formation.ranks[j]));
        return;
      }
    }
  }

  void match_messages(const Formation& formation, const Messages& sends, const Messages& receives) {
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
          return described(classes_, list[k]);
        };
        if (k >= out.size() || k >= in.size() || !same_message(out[k], in[k])) {
          const std::int32_t from = formation.ranks[static_cast<std::size_t>(pair.first)];
          const std::int32_t to = formation.ranks[static_cast<std::size_t>(pair.second)];
          result_.problems.push_back(
              fmt::format("group '{}': message {} from rank {} to rank {} does not match:\n    "
                          "rank {}: {}\n    rank {}: {}",
                          formation.axis, k, from, to, from, describe(out, "send"), to,
                          describe(in, "receive")) +
              sequences(out, in, k, from, to));
          return;
        }
        std::vector<OpPlace> meeting{out[k]};
        if (in[k] != out[k]) meeting.push_back(in[k]);
        result_.meetings.push_back(std::move(meeting));
      }
    }
  }

  [[nodiscard]] bool same_message(OpPlace out, OpPlace in) const {
    const CommShape &sent = comm_at(classes_, out), &received = comm_at(classes_, in);
    if (sent.count != received.count || sent.dtype != received.dtype) return false;
    const std::string_view sent_as = name_in(op_at(classes_, out).label, kSend);
    const std::string_view received_as = name_in(op_at(classes_, in).label, kReceive);
    return sent_as.empty() || received_as.empty() || sent_as == received_as;
  }

  // The order of both ends around message k, which is marked; nothing where labels do not name
  // messages.
  [[nodiscard]] std::string sequences(const std::vector<OpPlace>& out,
                                      const std::vector<OpPlace>& in, std::size_t k,
                                      std::int32_t from, std::int32_t to) const {
    const auto line = [&](const std::vector<OpPlace>& list, std::string_view verb) {
      if (list.empty()) return std::string(" [nothing]");
      std::vector<std::int32_t> ops;
      for (const OpPlace& place : list) ops.push_back(place.second);
      const auto of = static_cast<std::size_t>(list.front().first);
      return order_around(*classes_.programs[of], ops, k, verb);
    };
    const bool named =
        (!out.empty() && !name_in(op_at(classes_, out.front()).label, kSend).empty()) ||
        (!in.empty() && !name_in(op_at(classes_, in.front()).label, kReceive).empty());
    if (!named) return {};
    return fmt::format("\n    rank {} sends:   {}\n    rank {} receives:{}", from, line(out, kSend),
                       to, line(in, kReceive));
  }

  const Classes& classes_;
  std::map<std::int32_t, std::map<std::string, Comms>> comms_;  // by class and axis
  Matching result_;
};

// All classes at work, each stream of each at its next op.
class Play {
 public:
  Play(const Classes& classes, const Matching& matching)
      : classes_(classes), matching_(matching), arrived_(matching.meetings.size(), 0) {
    for (const Program* program : classes.programs) {
      auto& actor = actors_.emplace_back();
      actor.streams.resize(program->streams.size());
      actor.done.assign(program->ops.size(), false);
      actor.meetings.resize(program->ops.size());
      for (std::size_t i = 0; i < program->ops.size(); ++i) {
        actor.streams[static_cast<std::size_t>(program->ops[i].stream)].ops.push_back(
            static_cast<std::int32_t>(i));
      }
    }
    for (std::size_t m = 0; m < matching.meetings.size(); ++m) {
      for (const auto& [of, op] : matching.meetings[m]) {
        actors_[static_cast<std::size_t>(of)].meetings[static_cast<std::size_t>(op)].push_back(m);
      }
    }
  }

  void run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t c = 0; c < actors_.size(); ++c) {
        for (Stream& stream : actors_[c].streams) {
          while (advance(c, stream)) moved = true;
        }
      }
    }
  }

  // Where each stream is that has not ended; empty: all have.
  [[nodiscard]] std::string stuck() const {
    std::string text;
    for (std::size_t c = 0; c < actors_.size(); ++c) {
      const Program& program = *classes_.programs[c];
      for (std::size_t s = 0; s < program.streams.size(); ++s) {
        const Stream& stream = actors_[c].streams[s];
        if (stream.next >= stream.ops.size()) continue;
        const std::int32_t index = stream.ops[stream.next];
        const Op& op = program.ops[static_cast<std::size_t>(index)];
        text += fmt::format("\n    rank {} stream {}: op {} '{}' {}{}\n      in the order{}",
                            program.rank, program.streams[s], index, op.label,
                            op.comm ? to_text(*op.comm) : to_text(*op.kernel), awaited(c, op),
                            order_around(program, stream.ops, stream.next));
      }
    }
    return text;
  }

 private:
  struct Stream {
    std::vector<std::int32_t> ops;
    std::size_t next = 0;
    bool waiting = false;  // arrived at its meetings, which are not complete yet
  };
  struct Actor {
    std::vector<Stream> streams;
    std::vector<bool> done;                          // by op
    std::vector<std::vector<std::size_t>> meetings;  // by op
  };

  // Of ops that this one must not begin before, the first that has not ended.
  [[nodiscard]] std::string awaited(std::size_t c, const Op& op) const {
    for (const std::int32_t dep : op.deps) {
      if (actors_[c].done[static_cast<std::size_t>(dep)]) continue;
      const Program& program = *classes_.programs[c];
      const Op& before = program.ops[static_cast<std::size_t>(dep)];
      return fmt::format(", which waits for op {} '{}' of stream {}", dep, before.label,
                         program.streams[static_cast<std::size_t>(before.stream)]);
    }
    return {};
  }

  // Advances a stream by one op if it can.
  bool advance(std::size_t c, Stream& stream) {
    if (stream.next >= stream.ops.size()) return false;
    Actor& actor = actors_[c];
    const auto index = static_cast<std::size_t>(stream.ops[stream.next]);
    for (const std::int32_t dep : classes_.programs[c]->ops[index].deps) {
      if (!actor.done[static_cast<std::size_t>(dep)]) return false;
    }
    bool moved = false;
    if (!actor.meetings[index].empty() && !stream.waiting) {
      for (const std::size_t m : actor.meetings[index]) ++arrived_[m];
      stream.waiting = true;
      moved = true;
    }
    for (const std::size_t m : actor.meetings[index]) {
      if (arrived_[m] < matching_.meetings[m].size()) return moved;
    }
    actor.done[index] = true;
    ++stream.next;
    stream.waiting = false;
    return true;
  }

  const Classes& classes_;
  const Matching& matching_;
  std::vector<std::size_t> arrived_;  // by meeting
  std::vector<Actor> actors_;         // by class
};

}  // namespace

Matching match_communication(const Classes& classes) { return Matcher(classes).run(); }

std::vector<std::string> find_deadlock(const Classes& classes, const Matching& matching) {
  Play play(classes, matching);
  play.run();
  const std::string stuck = play.stuck();
  if (stuck.empty()) return {};
  return {"deadlock: no rank can go on; each is stuck at" + stuck};
}

}  // namespace stepmark
