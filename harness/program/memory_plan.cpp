// SPDX-License-Identifier: Apache-2.0
// What is live at the fullest op is stacked first, which makes that sum the peak to aim for; the
// rest goes, largest first, into the smallest hole that fits (best fit). Pairs looked at are
// bounded, since lifetimes of a long program meet quadratically.
#include "harness/program/memory_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "harness/program/lifetimes.h"

namespace stepmark {
namespace {

constexpr std::int64_t kMaxElementsOfABuffer = std::int64_t{1} << 56;  // keeps sums within 64 bits
// Pairs of buffers that are looked at; what is left then gets places of its own. A step has a few
// dozen workspaces beside its activations, so this is for programs of another kind.
constexpr std::int64_t kMostPairs = 50'000'000;

std::int64_t bytes_of(const BufferDecl& buffer) {
  STEPMARK_REQUIRE(buffer.elements >= 0 && buffer.elements < kMaxElementsOfABuffer,
                   "buffer {} has an impossible size of {} elements", buffer.name, buffer.elements);
  const std::int64_t bytes = buffer.elements * static_cast<std::int64_t>(size_of(buffer.dtype));
  return (bytes + kBufferAlignmentBytes - 1) / kBufferAlignmentBytes * kBufferAlignmentBytes;
}

class Planner {
 public:
  explicit Planner(const std::vector<BufferDecl>& buffers) {
    for (const BufferDecl& buffer : buffers) sizes_.push_back(bytes_of(buffer));
    plan_.offsets_bytes.resize(buffers.size(), 0);
  }

  [[nodiscard]] std::int64_t size_of_buffer(std::size_t b) const { return sizes_[b]; }

  // Behind all that was placed.
  void append(std::size_t b) {
    place(b, plan_.bytes);
    STEPMARK_REQUIRE(plan_.bytes < std::int64_t{1} << 60, "buffers need over 2^60 bytes");
  }

  [[nodiscard]] std::int64_t offset_of(std::size_t b) const { return plan_.offsets_bytes[b]; }

  // Where the smallest hole is that has room, between those of `others` that are live with it.
  // `others` are in the order in which they lie.
  void fit(std::size_t b, std::int64_t begin, const std::vector<std::size_t>& others,
           const std::vector<Lifetime>& lifetimes) {
    std::int64_t best = -1, best_room = 0;
    std::int64_t free_from = begin;
    for (const std::size_t other : others) {
      const std::int64_t from = plan_.offsets_bytes[other], to = from + sizes_[other];
      // What ends before leaves no other hole.
      if (to <= free_from || !lifetimes[b].overlaps(lifetimes[other])) continue;
      const std::int64_t room = from - free_from;
      if (room >= sizes_[b] && (best < 0 || room < best_room)) {
        best = free_from;
        best_room = room;
      }
      free_from = std::max(free_from, to);
    }
    place(b, best >= 0 ? best : free_from);
  }

  [[nodiscard]] MemoryPlan take() && { return std::move(plan_); }
  [[nodiscard]] std::int64_t end() const { return plan_.bytes; }

 private:
  void place(std::size_t b, std::int64_t offset) {
    plan_.offsets_bytes[b] = offset;
    plan_.bytes = std::max(plan_.bytes, offset + sizes_[b]);
  }

  std::vector<std::int64_t> sizes_;
  MemoryPlan plan_;
};

bool keeps_content(BufferKind kind) {
  return kind != BufferKind::activation && kind != BufferKind::workspace;
}

// The op at which most bytes are live, when ops run one after the other: all that is live there is
// live together in every order.
std::int32_t fullest_op(const std::vector<std::size_t>& buffers, const Planner& planner,
                        const std::vector<Lifetime>& lifetimes, std::size_t ops) {
  std::vector<std::int64_t> change(ops + 1, 0);
  for (const std::size_t b : buffers) {
    for (std::size_t i = 0; i < lifetimes[b].size(); ++i) {
      change[static_cast<std::size_t>(lifetimes[b].first(i))] += planner.size_of_buffer(b);
      change[static_cast<std::size_t>(lifetimes[b].last(i)) + 1] -= planner.size_of_buffer(b);
    }
  }
  std::partial_sum(change.begin(), change.end(), change.begin());
  return static_cast<std::int32_t>(std::max_element(change.begin(), change.end()) - change.begin());
}

bool live_at(const Lifetime& lifetime, std::int32_t op) {
  for (std::size_t i = 0; i < lifetime.size(); ++i) {
    if (lifetime.first(i) <= op && op <= lifetime.last(i)) return true;
  }
  return false;
}

}  // namespace

MemoryPlan plan_memory(const Program& program) {
  const Lifetimes lifetimes = lifetimes_of(program);
  Planner planner(program.buffers);
  std::vector<std::size_t> passing;
  for (std::size_t b = 0; b < program.buffers.size(); ++b) {
    if (keeps_content(program.buffers[b].kind)) planner.append(b);
  }
  for (std::size_t b = 0; b < program.buffers.size(); ++b) {
    if (keeps_content(program.buffers[b].kind)) continue;
    lifetimes.read_first[b] ? planner.append(b) : passing.push_back(b);
  }
  // The largest first: small ones find room in what they leave.
  std::stable_sort(passing.begin(), passing.end(), [&](std::size_t a, std::size_t b) {
    return planner.size_of_buffer(a) > planner.size_of_buffer(b);
  });
  const std::int64_t begin = planner.end();
  const std::int32_t fullest = fullest_op(passing, planner, lifetimes.of, program.ops.size());
  const auto others = std::stable_partition(passing.begin(), passing.end(), [&](std::size_t b) {
    return live_at(lifetimes.of[b], fullest);
  });
  std::vector<std::size_t> placed;  // in the order in which they lie
  std::int64_t pairs = 0;
  for (auto b = passing.begin(); b != passing.end(); ++b) {
    pairs += b < others ? 0 : std::ssize(placed);
    if (b < others || pairs > kMostPairs) {
      planner.append(*b);
    } else {
      planner.fit(*b, begin, placed, lifetimes.of);
    }
    const auto behind = std::upper_bound(
        placed.begin(), placed.end(), planner.offset_of(*b),
        [&](std::int64_t offset, std::size_t other) { return offset < planner.offset_of(other); });
    placed.insert(behind, *b);
  }
  return std::move(planner).take();
}

MemoryPlan plan_apart(const std::vector<BufferDecl>& buffers) {
  Planner planner(buffers);
  for (std::size_t b = 0; b < buffers.size(); ++b) planner.append(b);
  return std::move(planner).take();
}

}  // namespace stepmark
