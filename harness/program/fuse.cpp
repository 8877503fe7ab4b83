// SPDX-License-Identifier: Apache-2.0
// One pass over the ops, each with its follower on the stream; a pair becomes one op in the first's
// place and indices are renumbered on the way. Whether a result is read elsewhere is asked around
// the end of the program, since a step runs again.
#include "harness/program/fuse.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "harness/program/fewest_waits.h"
#include "harness/program/fuse_patterns.h"

namespace stepmark {
namespace {

const Op& at(const Program& program, std::int32_t index) {
  return program.ops[static_cast<std::size_t>(index)];
}

// Of each op the next one on its stream, -1 at the end.
std::vector<std::int32_t> followers(const Program& program) {
  std::vector<std::int32_t> next(program.ops.size(), -1);
  std::vector<std::int32_t> last(program.streams.size(), -1);
  for (std::int32_t i = 0; i < std::ssize(program.ops); ++i) {
    auto& previous = last[static_cast<std::size_t>(at(program, i).stream)];
    if (previous >= 0) next[static_cast<std::size_t>(previous)] = i;
    previous = i;
  }
  return next;
}

bool within(const BufferSlice& part, const BufferSlice& whole) {
  return part.buffer == whole.buffer && part.offset >= whole.offset &&
         part.offset + part.elements <= whole.offset + whole.elements;
}

// How an op leaves the content of a slice: read by it, written over whole, or neither.
enum class Effect : std::uint8_t { none, reads, overwrites };
Effect effect_on(const Op& op, const BufferSlice& slice) {
  Effect effect = Effect::none;
  for (std::size_t i = 0; i < op.operands.size(); ++i) {
    if (!overlap(op.operands[i], slice)) continue;
    if (access_of(op, i) != Access::out) return Effect::reads;
    if (within(slice, op.operands[i])) effect = Effect::overwrites;
  }
  return effect;
}

// Whether an op other than `second` reads what `first` writes to `slice`. The program runs again
// and again: after its end comes its beginning. Issue order is a possible order of execution, and
// an op that is ordered behind a write in one is in all, or the program would have a race.
bool read_elsewhere(const Program& program, const BufferSlice& slice, std::int32_t first,
                    std::int32_t second) {
  const auto n = static_cast<std::int32_t>(program.ops.size());
  for (std::int32_t step = 1; step < n; ++step) {
    const std::int32_t i = (first + step) % n;
    Effect effect = effect_on(at(program, i), slice);
    // The second reads it, and may then write its own result over it.
    if (i == second) effect = Effect::none;
    if (effect == Effect::reads) return true;
    if (effect == Effect::overwrites) return false;
  }
  return false;
}

// Whether the second's wait and the waits for the first let both run in the first's place.
bool order_allows(const Program& program, std::int32_t first, std::int32_t second) {
  const auto after_first = [=](std::int32_t dep) { return dep > first; };
  if (std::ranges::any_of(at(program, second).deps, after_first)) return false;
  for (std::int32_t i = first + 1; i < second; ++i) {
    const auto& deps = at(program, i).deps;
    if (std::find(deps.begin(), deps.end(), first) != deps.end()) return false;
  }
  return true;
}

// "layer0.mlp.up", "layer0.gelu" -> "layer0.mlp.up+gelu": what the labels share, in whole
// components, is said once.
std::string fused_label(const std::string& first, const std::string& second) {
  std::size_t shared = 0;
  for (std::size_t i = 0; i < std::min(first.size(), second.size()); ++i) {
    if (first[i] != second[i]) break;
    if (first[i] == '.') shared = i + 1;
  }
  return fmt::format("{}+{}", first, std::string_view(second).substr(shared));
}

std::optional<Op> fused(const Program& program, std::int32_t first, std::int32_t second) {
  if (second < 0) return std::nullopt;
  const Op &a = at(program, first), &b = at(program, second);
  const auto fusion = fusion_of(a, b);
  if (!fusion || !order_allows(program, first, second)) return std::nullopt;
  if (fusion->dropped.buffer >= 0) {
    const auto kind = program.buffers[static_cast<std::size_t>(fusion->dropped.buffer)].kind;
    if (kind != BufferKind::workspace) return std::nullopt;  // whoever runs it may read it
    if (read_elsewhere(program, fusion->dropped, first, second)) return std::nullopt;
  }
  Op op{.label = fused_label(a.label, b.label), .phase = a.phase, .stream = a.stream};
  op.kernel = fusion->shape;
  op.operands = fusion->operands;
  op.deps = a.deps;
  op.deps.insert(op.deps.end(), b.deps.begin(), b.deps.end());
  return op;
}

// Indices of ops in the dependency list of the op that is now at `index`, through `place`; of each
// stream the latest is enough. The ops before it are in their new places.
void renumber(std::vector<Op>& ops, std::size_t index, const std::vector<std::int32_t>& place) {
  Op& op = ops[index];
  FewestWaits waits;
  for (const std::int32_t old : op.deps) {
    const std::int32_t dep = place[static_cast<std::size_t>(old)];
    waits.depends(ops[static_cast<std::size_t>(dep)].stream, dep);
  }
  op.deps = waits.waits_of(op.stream);
}

// Which ops are joined with their followers.
enum class Part : std::uint8_t { alone, first, second };
struct Pairs {
  std::vector<Op> joined;             // in the order of the first of each
  std::vector<std::int32_t> seconds;  // of them; old indices
  std::vector<Part> part_of;          // by old index
};
Pairs pairs_of(const Program& program) {
  const std::vector<std::int32_t> next = followers(program);
  Pairs pairs{.joined = {}, .seconds = {}, .part_of = std::vector(next.size(), Part::alone)};
  for (std::size_t i = 0; i < next.size(); ++i) {
    if (pairs.part_of[i] == Part::second) continue;
    std::optional<Op> joined = fused(program, static_cast<std::int32_t>(i), next[i]);
    if (!joined) continue;
    pairs.joined.push_back(std::move(*joined));
    pairs.seconds.push_back(next[i]);
    pairs.part_of[i] = Part::first;
    pairs.part_of[static_cast<std::size_t>(next[i])] = Part::second;
  }
  return pairs;
}

std::vector<bool> used_buffers(const Program& program) {
  std::vector<bool> used(program.buffers.size(), false);
  for (const Op& op : program.ops) {
    for (const BufferSlice& slice : op.operands) {
      if (slice.buffer >= 0) used[static_cast<std::size_t>(slice.buffer)] = true;
    }
  }
  return used;
}

// Leaves out workspace that was in use before.
void drop_unused(Program& program, const std::vector<bool>& used_before) {
  const std::vector<bool> used = used_buffers(program);
  std::vector<std::int32_t> place(program.buffers.size(), -1);
  std::vector<BufferDecl> kept;
  for (std::size_t i = 0; i < program.buffers.size(); ++i) {
    if (program.buffers[i].kind == BufferKind::workspace && used_before[i] && !used[i]) continue;
    place[i] = static_cast<std::int32_t>(kept.size());
    kept.push_back(std::move(program.buffers[i]));
  }
  program.buffers = std::move(kept);
  for (Op& op : program.ops) {
    for (BufferSlice& slice : op.operands) {
      if (slice.buffer >= 0) slice.buffer = place[static_cast<std::size_t>(slice.buffer)];
    }
  }
}

}  // namespace

Program fuse(Program program) {
  const std::vector<bool> used_before = used_buffers(program);
  // All pairs first, since they are found by looking around the whole program; then ops move up.
  Pairs pairs = pairs_of(program);
  std::vector<std::int32_t> place(program.ops.size(), -1);  // old index -> new
  std::vector<Op>& ops = program.ops;
  std::size_t kept = 0, pair = 0;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (pairs.part_of[i] == Part::second) continue;
    place[i] = static_cast<std::int32_t>(kept);
    if (pairs.part_of[i] == Part::first) {
      place[static_cast<std::size_t>(pairs.seconds[pair])] = place[i];
      ops[kept] = std::move(pairs.joined[pair++]);
    } else if (kept != i) {
      ops[kept] = std::move(ops[i]);
    }
    renumber(ops, kept++, place);
  }
  ops.resize(kept);
  drop_unused(program, used_before);
  return program;
}

}  // namespace stepmark
