// SPDX-License-Identifier: Apache-2.0
// Backwards over the ops for what is read later, as sets of intervals; forwards with a vector clock
// per op for what is before what. Intervals of one buffer that are concurrent become one.
#include "harness/program/lifetimes.h"

#include <algorithm>
#include <map>

namespace stepmark {
namespace {

// Elements of a buffer, as disjoint intervals that do not touch.
class Elements {
 public:
  void add(std::int64_t begin, std::int64_t end) {
    if (begin >= end) return;
    auto next = intervals_.upper_bound(begin);
    if (next != intervals_.begin() && std::prev(next)->second >= begin) {
      --next;
      begin = next->first;
    }
    while (next != intervals_.end() && next->first <= end) {
      end = std::max(end, next->second);
      next = intervals_.erase(next);
    }
    intervals_.emplace(begin, end);
  }

  void remove(std::int64_t begin, std::int64_t end) {
    if (begin >= end) return;
    auto next = intervals_.upper_bound(begin);
    if (next != intervals_.begin()) --next;
    while (next != intervals_.end() && next->first < end) {
      const auto [from, to] = *next;
      if (to <= begin) {
        ++next;
        continue;
      }
      next = intervals_.erase(next);
      if (from < begin) intervals_.emplace(from, begin);
      if (to > end) intervals_.emplace(end, to);
    }
  }

  [[nodiscard]] bool empty() const { return intervals_.empty(); }

 private:
  std::map<std::int64_t, std::int64_t> intervals_;  // begin -> end
};

// The ops that use a buffer, in order, and whether what it holds behind each of them is read later.
struct Uses {
  std::vector<std::int32_t> ops;
  std::vector<bool> read_later;
  bool read_first = false;
};

template <class Visit>
void for_each_slice(const Op& op, bool read, Visit visit) {
  for (std::size_t i = 0; i < op.operands.size(); ++i) {
    const BufferSlice& slice = op.operands[i];
    if (slice.buffer < 0 || slice.elements == 0) continue;
    const Access access = access_of(op, i);
    if (read ? access != Access::out : access != Access::in) visit(slice);
  }
}

// Backwards: what is read later, less what is written before that.
std::vector<Uses> uses_of(const Program& program) {
  std::vector<Uses> uses(program.buffers.size());
  std::vector<Elements> needed(program.buffers.size());
  const auto at = [](auto& of, const BufferSlice& slice) -> auto& {
    return of[static_cast<std::size_t>(slice.buffer)];
  };
  for (auto i = static_cast<std::int32_t>(program.ops.size()); i-- > 0;) {
    const Op& op = program.ops[static_cast<std::size_t>(i)];
    const auto use = [&](const BufferSlice& slice) {
      Uses& own = at(uses, slice);
      if (!own.ops.empty() && own.ops.back() == i) return;
      own.ops.push_back(i);
      own.read_later.push_back(!at(needed, slice).empty());
    };
    for_each_slice(op, false, use);
    for_each_slice(op, true, use);
    for_each_slice(op, false, [&](const BufferSlice& slice) {
      at(needed, slice).remove(slice.offset, slice.offset + slice.elements);
    });
    for_each_slice(op, true, [&](const BufferSlice& slice) {
      at(needed, slice).add(slice.offset, slice.offset + slice.elements);
    });
  }
  for (std::size_t b = 0; b < uses.size(); ++b) {
    std::reverse(uses[b].ops.begin(), uses[b].ops.end());
    std::reverse(uses[b].read_later.begin(), uses[b].read_later.end());
    uses[b].read_first = !needed[b].empty();
  }
  return uses;
}

}  // namespace

Clocks::Clocks(const Program& program)
    : streams_(program.streams.size()), clocks_(program.ops.size() * streams_, -1) {
  std::vector<std::int32_t> previous(streams_, -1);  // by stream
  for (std::int32_t i = 0; i < std::ssize(program.ops); ++i) {
    const Op& op = program.ops[static_cast<std::size_t>(i)];
    std::int32_t* own = clocks_.data() + static_cast<std::size_t>(i) * streams_;
    const auto follow = [&](std::int32_t earlier, std::int32_t stream) {
      const auto known = at(earlier);
      for (std::size_t s = 0; s < streams_; ++s) own[s] = std::max(own[s], known[s]);
      own[stream] = std::max(own[stream], earlier);
    };
    auto& before = previous[static_cast<std::size_t>(op.stream)];
    if (before >= 0) follow(before, op.stream);
    before = i;
    for (const std::int32_t dep : op.deps) {
      follow(dep, program.ops[static_cast<std::size_t>(dep)].stream);
    }
  }
}

void Lifetime::begin(std::int32_t op, std::int32_t stream, const Clocks& clocks) {
  const auto clock = clocks.at(op);
  first_.push_back(op);
  last_.push_back(op);
  after_.insert(after_.end(), clock.begin(), clock.end());
  uses_.resize(uses_.size() + streams_, -1);
  uses_[uses_.size() - streams_ + static_cast<std::size_t>(stream)] = op;
}

void Lifetime::extend(std::int32_t op, std::int32_t stream, const Clocks& clocks) {
  const auto clock = clocks.at(op);
  last_.back() = op;
  std::int32_t* after = after_.data() + after_.size() - streams_;
  for (std::size_t s = 0; s < streams_; ++s) after[s] = std::min(after[s], clock[s]);
  uses_[uses_.size() - streams_ + static_cast<std::size_t>(stream)] = op;
}

void Lifetime::join(std::size_t into, std::size_t from) {
  last_[into] = last_[from];
  for (std::size_t s = 0; s < streams_; ++s) {
    auto& after = after_[into * streams_ + s];
    after = std::min(after, after_[from * streams_ + s]);
    auto& use = uses_[into * streams_ + s];
    use = std::max(use, uses_[from * streams_ + s]);
  }
}

void Lifetime::move(std::size_t to, std::size_t from) {
  first_[to] = first_[from];
  last_[to] = last_[from];
  for (std::size_t s = 0; s < streams_; ++s) {
    after_[to * streams_ + s] = after_[from * streams_ + s];
    uses_[to * streams_ + s] = uses_[from * streams_ + s];
  }
}

void Lifetime::join_concurrent() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    if (kept != i) move(kept, i);
    ++kept;
    while (kept > 1 && !before(kept - 2, *this, kept - 1)) {
      join(kept - 2, kept - 1);
      --kept;
    }
  }
  first_.resize(kept);
  last_.resize(kept);
  after_.resize(kept * streams_);
  uses_.resize(kept * streams_);
}

bool Lifetime::before(std::size_t i, const Lifetime& next, std::size_t j) const {
  for (std::size_t s = 0; s < streams_; ++s) {
    if (uses_[i * streams_ + s] > next.after_[j * streams_ + s]) return false;
  }
  return true;
}

std::size_t Lifetime::last_before(std::size_t i, std::int32_t op) const {
  std::size_t step = 1;
  while (i + step < size() && last_[i + step] < op) {
    i += step;
    step *= 2;
  }
  const auto from = last_.begin() + static_cast<std::ptrdiff_t>(i);
  const auto to = last_.begin() + static_cast<std::ptrdiff_t>(std::min(i + step, size()));
  return i + static_cast<std::size_t>(std::lower_bound(from, to, op) - from) - 1;
}

bool Lifetime::overlaps(const Lifetime& other) const {
  // Of the times that end before one of the other begins, in the order of ops, the last one ends
  // behind all of them: if it is before in every order, they are.
  for (std::size_t i = 0, j = 0; i < size() && j < other.size();) {
    if (last_[i] < other.first_[j]) {
      i = last_before(i, other.first_[j]);
      if (!before(i++, other, j)) return true;
    } else if (other.last_[j] < first_[i]) {
      j = other.last_before(j, first_[i]);
      if (!other.before(j++, *this, i)) return true;
    } else {
      return true;
    }
  }
  return false;
}

Lifetimes lifetimes_of(const Program& program) {
  const Clocks clocks(program);
  Lifetimes result;
  for (const Uses& uses : uses_of(program)) {
    Lifetime lifetime(clocks.streams());
    for (std::size_t i = 0; i < uses.ops.size(); ++i) {
      const std::int32_t op = uses.ops[i];
      const std::int32_t stream = program.ops[static_cast<std::size_t>(op)].stream;
      if (i > 0 && uses.read_later[i - 1]) {
        lifetime.extend(op, stream, clocks);
      } else {
        lifetime.begin(op, stream, clocks);
      }
    }
    lifetime.join_concurrent();
    result.of.push_back(std::move(lifetime));
    result.read_first.push_back(uses.read_first);
  }
  return result;
}

}  // namespace stepmark
