// SPDX-License-Identifier: Apache-2.0
// A clock's offset to rank 0's lies between two bounds, which every meeting may narrow: an instant
// that all have begun by and none has ended before. The bounds spread from clock to clock until no
// meeting narrows any; the middle is taken.
#include "harness/program/timeline/arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

namespace stepmark {
namespace {

// Contradictions up to this are the resolution of device clocks, not other clocks.
constexpr std::int64_t kResolution = 5'000;
// Far from every time, and sums of it with times are numbers.
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max() / 4;

struct Attendance {
  std::size_t rank = 0;
  std::size_t clock = 0;
  std::int64_t begin = 0, end = 0;  // of that clock
  const Call* call = nullptr;
};
using Meetings = std::map<std::string, std::vector<Attendance>>;

struct Bounds {
  std::int64_t low = -kNever, high = kNever;
};

class Aligner {
 public:
  explicit Aligner(const std::vector<RankCalls>& ranks) : ranks_(ranks) {
    std::map<std::string, std::size_t> clocks;
    for (std::size_t r = 0; r < ranks.size(); ++r) {
      const auto [found, fresh] = clocks.try_emplace(ranks[r].clock, clocks.size());
      clock_of_.push_back(found->second);
      for (const Call& call : ranks[r].calls) {
        meetings_[call.meeting].push_back({.rank = r,
                                           .clock = found->second,
                                           .begin = ranks[r].start_ns + call.begin_ns,
                                           .end = ranks[r].start_ns + call.end_ns,
                                           .call = &call});
      }
    }
    bounds_.resize(clocks.size());
    if (!bounds_.empty()) bounds_[clock_of_.front()] = {.low = 0, .high = 0};
  }

  Alignment run() {
    Alignment out;
    // Bounds pass from clock to clock, at most once through all.
    for (std::size_t round = 0; round <= bounds_.size() && narrow(); ++round) {
    }
    for (std::size_t r = 0; r < ranks_.size(); ++r) {
      const Bounds& own = bounds_[clock_of_[r]];
      if (own.low <= -kNever / 2 || own.high >= kNever / 2) {
        out.unknown =
            fmt::format("no transfers in both directions tie the clock of rank {} to rank 0's", r);
        return out;
      }
      if (own.low > own.high + kResolution) {
        out.unknown = fmt::format(
            "the clock of rank {} contradicts rank 0's by {} ns: transfers ended before they began",
            r, own.low - own.high);
        return out;
      }
      out.error_ns = std::max(out.error_ns, std::abs(own.high - own.low + 1) / 2);
    }
    out.unknown = impossible_meeting(out.error_ns);
    if (!out.unknown.empty()) return out;
    for (std::size_t r = 0; r < ranks_.size(); ++r) out.offset_ns.push_back(to_first(r));
    const std::int64_t first = *std::min_element(out.offset_ns.begin(), out.offset_ns.end());
    for (std::int64_t& offset : out.offset_ns) offset -= first;
    out.arrivals = arrivals();
    return out;
  }

 private:
  // From a time since the start of the rank's step to rank 0's clock.
  [[nodiscard]] std::int64_t to_first(std::size_t rank) const {
    return ranks_[rank].start_ns + offset(clock_of_[rank]);
  }
  [[nodiscard]] std::int64_t offset(std::size_t clock) const {
    return bounds_[clock].low + (bounds_[clock].high - bounds_[clock].low) / 2;
  }

  // Ranks that are said to read one clock may not: two hosts can have one name.
  [[nodiscard]] std::string impossible_meeting(std::int64_t error_ns) const {
    for (const auto& [name, all] : meetings_) {
      const Attendance *last = nullptr, *first = nullptr;  // to begin, and to end
      for (const Attendance& one : all) {
        if (one.call->gives && (last == nullptr || begin_of(one) > begin_of(*last))) last = &one;
        if (one.call->takes && (first == nullptr || end_of(one) < end_of(*first))) first = &one;
      }
      if (last == nullptr || first == nullptr) continue;
      if (begin_of(*last) - end_of(*first) <= kResolution + 2 * error_ns) continue;
      return fmt::format(
          "rank {} ended a transfer {} ns before rank {} began it: they do not read the clocks "
          "they "
          "say, as where two hosts have one name",
          first->rank, begin_of(*last) - end_of(*first), last->rank);
    }
    return {};
  }
  // On rank 0's clock.
  [[nodiscard]] std::int64_t begin_of(const Attendance& one) const {
    return one.begin + offset(one.clock);
  }
  [[nodiscard]] std::int64_t end_of(const Attendance& one) const {
    return one.end + offset(one.clock);
  }

  // True where a bound moved.
  bool narrow() {
    bool moved = false;
    for (const auto& [name, all] : meetings_) {
      std::int64_t earliest = -kNever, latest = kNever;  // of the instant, on rank 0's clock
      for (const Attendance& one : all) {
        const Bounds& own = bounds_[one.clock];
        if (one.call->gives && own.low > -kNever)
          earliest = std::max(earliest, one.begin + own.low);
        if (one.call->takes && own.high < kNever) latest = std::min(latest, one.end + own.high);
      }
      for (const Attendance& one : all) {
        Bounds& own = bounds_[one.clock];
        if (one.clock == clock_of_.front()) continue;
        if (one.call->gives && latest < kNever && latest - one.begin < own.high) {
          own.high = latest - one.begin;
          moved = true;
        }
        if (one.call->takes && earliest > -kNever && earliest - one.end > own.low) {
          own.low = earliest - one.end;
          moved = true;
        }
      }
    }
    return moved;
  }

  [[nodiscard]] std::vector<Arrivals> arrivals() const {
    std::vector<Arrivals> out(ranks_.size());
    for (const auto& [name, all] : meetings_) {
      for (const Attendance& own : all) {
        if (own.call->op == kNoOp) continue;
        const Attendance* last = nullptr;
        for (const Attendance& other : all) {
          if (other.rank == own.rank) continue;
          if (own.call->takes && !other.call->gives) continue;
          if (last == nullptr ||
              other.begin + offset(other.clock) > last->begin + offset(last->clock))
            last = &other;
        }
        if (last == nullptr) continue;
        const Arrival arrival{.at_ns = last->begin + offset(last->clock) - to_first(own.rank),
                              .rank = static_cast<std::int32_t>(last->rank)};
        // A message that was handed over before its receiver came did not wait for it.
        if (!own.call->takes && arrival.at_ns >= own.call->end_ns) continue;
        const auto [found, fresh] = out[own.rank].try_emplace(own.call->op, arrival);
        if (!fresh && arrival.at_ns > found->second.at_ns) found->second = arrival;
      }
    }
    return out;
  }

  const std::vector<RankCalls>& ranks_;
  std::vector<std::size_t> clock_of_;  // by rank
  Meetings meetings_;
  std::vector<Bounds> bounds_;  // by clock: of what is added to have rank 0's
};

// Counts calls of a kind, to name the next.
class Names {
 public:
  std::string next(const std::string& kind) { return fmt::format("{}#{}", kind, count_[kind]++); }

 private:
  std::map<std::string, int> count_;
};

bool all_positive(const std::vector<std::int64_t>& counts) {
  return std::all_of(counts.begin(), counts.end(), [](std::int64_t count) { return count > 0; });
}

}  // namespace

std::vector<Call> calls_of(const Program& program, const Timeline& timeline) {
  std::vector<Call> calls;
  Names names;
  for (const Span& span : timeline.spans) {
    const Op& op = program.ops[static_cast<std::size_t>(span.op)];
    if (!op.comm) continue;
    const CommShape& comm = *op.comm;
    const Group& group = program.group(comm.axis);
    const auto add = [&](std::string meeting, bool gives, bool takes) {
      calls.push_back({.meeting = std::move(meeting),
                       .op = span.op,
                       .begin_ns = span.begin_ns,
                       .end_ns = span.end_ns,
                       .gives = gives,
                       .takes = takes});
    };
    if (comm.verb == Verb::send_recv) {
      const auto peer = [&](std::int32_t member) {
        return group.ranks[static_cast<std::size_t>(member)];
      };
      const auto message = [&](std::int32_t from, std::int32_t to) {
        return names.next(fmt::format("{} {}>{}", comm.axis, from, to));
      };
      if (comm.send_peer >= 0) add(message(program.rank, peer(comm.send_peer)), true, false);
      if (comm.recv_peer >= 0) add(message(peer(comm.recv_peer), program.rank), false, true);
      continue;
    }
    // Groups of one axis share no rank: the first names the group.
    std::string meeting = names.next(fmt::format("{} of {}", comm.axis, group.ranks.front()));
    if (is_rooted(comm.verb)) {
      const bool root = group.index == comm.root;
      const bool from_root = comm.verb == Verb::broadcast || comm.verb == Verb::scatter;
      add(std::move(meeting), root == from_root, root != from_root);
    } else if (comm.verb == Verb::all_to_all_v) {
      add(std::move(meeting), true, all_positive(comm.recv_counts));
    } else {
      add(std::move(meeting), true, comm.count > 0 || comm.verb == Verb::barrier);
    }
  }
  return calls;
}

Alignment align(const std::vector<RankCalls>& ranks) { return Aligner(ranks).run(); }

}  // namespace stepmark
