// SPDX-License-Identifier: Apache-2.0
// Where buffers lie: what is live at a time is apart, what is not may lie together, by the order
// that streams and waits make. Judged by brute force; a test of the executor runs such programs.
#include "harness/program/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/error.h"
#include "core/rng.h"
#include "harness/program/builder.h"
#include "harness/program/lifetimes.h"
#include "kernels/ops/memory.h"
#include "tests/unit/program/models.h"
#include "tests/unit/program/ordering.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PlanApart, BuffersAreAlignedAndDisjoint) {
  const auto buffer = [](std::int64_t elements, DType dtype = DType::f32) {
    return BufferDecl{.name = "b", .dtype = dtype, .elements = elements};
  };
  const MemoryPlan plan = plan_apart({buffer(1), buffer(0), buffer(65), buffer(3, DType::bf16)});
  EXPECT_THAT(plan.offsets_bytes, ElementsAre(0, 256, 256, 768));
  EXPECT_EQ(plan.bytes, 1024);
  EXPECT_THROW((void)plan_apart({buffer(-1)}), Error);
  EXPECT_THROW((void)plan_apart({buffer(std::int64_t{1} << 60)}), Error);
  const std::int64_t large = std::int64_t{1} << 55;
  EXPECT_THROW((void)plan_apart(std::vector(9, buffer(large))), Error);
}

class Chain : public ::testing::Test {
 protected:
  static constexpr std::int64_t kElements = 64;  // one alignment of fp32
  BufferSlice buffer(const char* name, BufferKind kind = BufferKind::workspace) {
    return builder_.add_buffer(name, kind, DType::f32, kElements);
  }
  void copy(const char* stream, BufferSlice from, BufferSlice to) {
    builder_.kernel("copy", stream, pack(CopyShape{.elements = from.elements}, DType::f32),
                    {from, to});
  }
  std::vector<std::int64_t> offsets() { return plan_memory(builder_.program()).offsets_bytes; }

  ProgramBuilder builder_{"p", 0, 1};
  BufferSlice in_ = buffer("in", BufferKind::input);
};

TEST_F(Chain, ABufferIsFreeBehindItsLastRead) {
  const BufferSlice a = buffer("a"), b = buffer("b"), c = buffer("c");
  copy("s", in_, a);
  copy("s", a, b);
  copy("s", b, c);
  EXPECT_THAT(offsets(), ElementsAre(0, 256, 512, 256));
  EXPECT_EQ(plan_memory(builder_.program()).bytes, 768);
}

TEST_F(Chain, WhatTwoStreamsDoAtATimeStaysApart) {
  const BufferSlice a = buffer("a"), b = buffer("b"), c = buffer("c"), d = buffer("d");
  copy("s", in_, a);
  copy("s", a, b);
  copy("t", in_, c);  // nothing orders the streams
  copy("t", c, d);
  EXPECT_EQ(plan_memory(builder_.program()).bytes, 5 * 256);
}

TEST_F(Chain, AWaitLetsTheOtherStreamUseItAgain) {
  const BufferSlice a = buffer("a"), b = buffer("b"), c = buffer("c");
  copy("s", in_, a);
  copy("s", a, b);
  copy("t", b, c);  // waits for the last read of a
  EXPECT_EQ(plan_memory(builder_.program()).bytes, 3 * 256);
}

TEST_F(Chain, WhatKeepsItsContentHasItsOwnPlace) {
  const BufferSlice a = buffer("a", BufferKind::scalar), b = buffer("b"), c = buffer("c");
  const BufferSlice unread = buffer("unread");
  copy("s", in_, a);
  copy("s", unread, b);  // holds what was there before
  copy("s", in_, c);
  const auto at = offsets();
  EXPECT_EQ(std::set<std::int64_t>(at.begin(), at.begin() + 2).size(), 2U);
  EXPECT_EQ(at[4], 512);
  EXPECT_EQ(at[2], at[3]) << "b is read by nobody";
}

// A buffer that is used, done with and used again is free in between.
TEST_F(Chain, ABufferIsLiveSeveralTimes) {
  const BufferSlice a = buffer("a"), b = buffer("b"), out = buffer("out", BufferKind::grad);
  for (int i = 0; i < 3; ++i) {
    copy("s", in_, a);
    copy("s", a, out);
    copy("s", in_, b);
    copy("s", b, out);
  }
  const auto at = offsets();
  EXPECT_EQ(at[1], at[2]);
}

TEST_F(Chain, PartsThatAreWrittenOneByOneMakeTheWhole) {
  const BufferSlice a = buffer("a"), b = buffer("b");
  const auto half = [](BufferSlice whole, int i) {
    return ProgramBuilder::part(whole, i * kElements / 2, kElements / 2);
  };
  copy("s", half(in_, 0), half(a, 0));
  copy("s", half(in_, 1), half(a, 1));
  copy("s", a, b);
  copy("s", half(b, 0), half(a, 0));  // only this half: the other is read as it was
  copy("s", a, b);
  EXPECT_EQ(plan_memory(builder_.program()).bytes, 3 * 256);
}

constexpr std::int64_t kUnit = 16;  // elements that are always treated alike

// Copies between slices of many buffers on four streams; most buffers are written whole before they
// are read, and then soon.
Program random_program(std::uint64_t seed) {
  static constexpr std::array kStreams{"compute", "copy", "tp", "dp"};
  const Philox rng(7, seed);
  std::uint64_t next = 0;
  const auto draw = [&](std::int64_t bound) {
    return static_cast<std::int64_t>(rng.below(next++, static_cast<std::uint64_t>(bound)));
  };
  ProgramBuilder builder("random", 0, 1);
  std::vector<BufferSlice> buffers{
      builder.add_buffer("in", BufferKind::input, DType::f32, 25 * kUnit)};
  for (int i = 1; i < 16; ++i) {
    buffers.push_back(builder.add_buffer(fmt::format("b{}", i), BufferKind::workspace, DType::f32,
                                         4 * kUnit * (1 + draw(4))));
  }
  std::vector<std::size_t> written{0};
  std::size_t stream = 0;
  for (int i = 0; i < 80; ++i) {
    // Of the newest: what is older is dead, and its memory free.
    std::size_t from = *(written.end() - 1 - draw(std::min<std::int64_t>(3, std::ssize(written))));
    const auto to = static_cast<std::size_t>(1 + draw(std::ssize(buffers) - 1));
    if (from == to) continue;
    const bool whole = draw(8) > 0;
    if (whole && buffers[from].elements < buffers[to].elements) from = 0;
    const std::int64_t most = std::min(buffers[from].elements, buffers[to].elements);
    const std::int64_t n = whole ? buffers[to].elements : kUnit * (1 + draw(most / kUnit));
    const auto slice = [&](BufferSlice of) {
      return ProgramBuilder::part(of, kUnit * draw((of.elements - n) / kUnit + 1), n);
    };
    if (whole) written.push_back(to);
    if (draw(4) == 0) stream = static_cast<std::size_t>(draw(4));
    builder.kernel(fmt::format("op{}", i), kStreams[stream],
                   pack(CopyShape{.elements = n}, DType::f32),
                   {slice(buffers[from]), slice(buffers[to])});
  }
  return std::move(builder).take();
}

// Whether no op may write over a value of another buffer between its write and its read, judged
// element by element. Ops are copies.
bool contents_survive(const Program& program, const MemoryPlan& plan) {
  const auto before = ended_before(program);
  const auto byte_of = [&](std::int32_t buffer, std::int64_t element) {
    return plan.offsets_bytes[static_cast<std::size_t>(buffer)] +
           element * static_cast<std::int64_t>(sizeof(float));
  };
  std::map<std::pair<std::int32_t, std::int64_t>, std::size_t> writer;  // of each element
  for (std::size_t r = 0; r < program.ops.size(); ++r) {
    const BufferSlice& read = program.ops[r].operands[0];
    for (std::int64_t e = read.offset; e < read.offset + read.elements; e += kUnit) {
      const auto found = writer.find({read.buffer, e});
      for (std::size_t x = 0; x < program.ops.size(); ++x) {
        const BufferSlice& other = program.ops[x].operands[1];
        const std::int64_t byte = byte_of(read.buffer, e);
        const bool over = other.buffer != read.buffer &&
                          byte >= byte_of(other.buffer, other.offset) &&
                          byte < byte_of(other.buffer, other.offset + other.elements);
        const bool too_early = found != writer.end() && before[found->second][x];
        if (over && !too_early && !before[x][r]) return false;
      }
    }
    const BufferSlice& write = program.ops[r].operands[1];
    for (std::int64_t e = write.offset; e < write.offset + write.elements; e += kUnit) {
      writer[{write.buffer, e}] = r;
    }
  }
  return true;
}

TEST(PlanMemory, KeepsEveryValueOfRandomProgramsUntilItsLastRead) {
  std::int64_t planned = 0, apart = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Program program = random_program(seed);
    ASSERT_THAT(races(program), IsEmpty());
    const MemoryPlan plan = plan_memory(program);
    EXPECT_TRUE(contents_survive(program, plan)) << "seed " << seed;
    planned += plan.bytes;
    apart += plan_apart(program.buffers).bytes;
  }
  EXPECT_LT(planned * 10, apart * 9) << "reuse happens, or nothing is tested";
}

TEST(PlanMemory, OfAStepIsLessThanTheSumOfItsBuffers) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const char* text : {"tp=1", "tp=2,sp=on", "accumulation=3", "optimizer_overlap=on"}) {
      const Plan parsed = parse_plan(text);
      const Plan plan = resolve(parsed, model, parsed.tp);
      const Program program = step_program(model, plan, 0);
      const MemoryPlan memory = plan_memory(program);
      EXPECT_LT(memory.bytes, memory_bytes(program)) << model.name << " " << text;
      const Lifetimes lifetimes = lifetimes_of(program);
      for (std::size_t b = 0; b < program.buffers.size(); ++b) {
        const BufferKind kind = program.buffers[b].kind;
        if (kind != BufferKind::activation && kind != BufferKind::workspace) continue;
        EXPECT_FALSE(lifetimes.read_first[b]) << program.buffers[b].name;
      }
    }
  }
}

}  // namespace
}  // namespace stepmark
