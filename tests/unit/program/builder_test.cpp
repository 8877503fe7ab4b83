// SPDX-License-Identifier: Apache-2.0
// The dependencies that the builder finds, judged by brute force.
#include "harness/program/builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/rng.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/memory.h"
#include "tests/unit/program/models.h"
#include "tests/unit/program/ordering.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Copies, fills, in-place sums and all-reduces over random slices on random streams.
Program random_program(std::uint64_t seed) {
  static constexpr std::array kStreams{"compute", "copy", "tp", "dp"};
  const Philox rng(3, seed);
  std::uint64_t next = 0;
  const auto draw = [&](std::int64_t bound) {
    return static_cast<std::int64_t>(rng.below(next++, static_cast<std::uint64_t>(bound)));
  };
  ProgramBuilder builder("random", 0, 2);
  builder.add_group({.axis = "dp", .ranks = {0, 1}, .index = 0});
  std::vector<BufferSlice> buffers;
  for (int i = 0; i < 3; ++i) {
    buffers.push_back(
        builder.add_buffer(fmt::format("b{}", i), BufferKind::workspace, DType::f32, 24));
  }
  const auto slice = [&](std::int64_t elements) {
    return ProgramBuilder::part(buffers[static_cast<std::size_t>(draw(3))], draw(25 - elements),
                                elements);
  };
  for (int i = 0; i < 60; ++i) {
    const std::int64_t n = 1 + draw(12);
    const char* stream = kStreams[static_cast<std::size_t>(draw(4))];
    const std::string label = fmt::format("op{}", i);
    switch (draw(4)) {
      case 0:
        builder.kernel(label, stream, pack(CopyShape{.elements = n}, DType::f32),
                       {slice(n), slice(n)});
        break;
      case 1:
        builder.kernel(label, stream, pack(ZeroShape{.elements = n}, DType::f32), {slice(n)});
        break;
      case 2: {
        const BufferSlice a = slice(n);
        builder.kernel(label, stream, pack(ResidualShape{.rows = 1, .cols = n}, DType::f32),
                       {a, slice(n), {}, a});
        break;
      }
      default: {
        const BufferSlice a = slice(n);
        builder.comm(label, "dp", {.verb = Verb::all_reduce, .axis = "dp", .count = n}, a, a);
      }
    }
  }
  return std::move(builder).take();
}

TEST(Builder, OrdersEveryConflictOfRandomPrograms) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    EXPECT_THAT(races(random_program(seed)), IsEmpty()) << "seed " << seed;
  }
}

// Without any single one of its waits a program has a race, or the wait was not needed.
TEST(Builder, WaitsForNothingWithoutNeed) {
  std::size_t needed = 0;
  std::size_t all = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Program program = random_program(seed);
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
      for (const std::int32_t dep : program.ops[i].deps) {
        EXPECT_TRUE(conflict(program.ops[i], program.ops[static_cast<std::size_t>(dep)]));
        EXPECT_NE(program.ops[i].stream, program.ops[static_cast<std::size_t>(dep)].stream);
        Program without = program;
        std::erase(without.ops[i].deps, dep);
        needed += races(without).empty() ? 0 : 1;
        ++all;
      }
    }
  }
  // The rest is covered by chains over a third stream, which the builder does not look for.
  EXPECT_GT(needed * 10, all * 6);
}

TEST(Builder, OrdersEveryConflictOfStepPrograms) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const char* text :
         {"tp=2,dp=2", "tp=4,sp=on", "tp=2,dp=2,sp=on,accumulation=2",
          "tp=2,dp=2,bucket_mib=0.01,optimizer_overlap=on,clip=0",
          "dp=2,bucket_mib=0.01,optimizer_overlap=on,clip=0,grad_norm=on",
          "tp=2,dp=2,sp=on,accumulation=2,bucket_mib=0.01,optimizer_overlap=on"}) {
      const Plan base = parse_plan(text);
      Plan plan = base;
      plan.micro_batch = 2;
      plan = resolve(plan, model, base.tp * std::max<std::int64_t>(1, base.dp));
      EXPECT_THAT(races(step_program(model, plan, 0)), IsEmpty()) << model.name << " " << text;
    }
  }
}

class TwoStreams : public ::testing::Test {
 protected:
  void zero(const char* stream, BufferSlice x) {
    builder_.kernel("zero", stream, pack(ZeroShape{.elements = x.elements}, DType::f32), {x});
  }
  void copy(const char* stream, BufferSlice from, BufferSlice to) {
    builder_.kernel("copy", stream, pack(CopyShape{.elements = from.elements}, DType::f32),
                    {from, to});
  }
  const std::vector<std::int32_t>& deps(std::size_t op) { return builder_.program().ops[op].deps; }

  ProgramBuilder builder_{"p", 0, 1};
  BufferSlice a_ = builder_.add_buffer("a", BufferKind::workspace, DType::f32, 8);
  BufferSlice b_ = builder_.add_buffer("b", BufferKind::workspace, DType::f32, 8);
};

TEST_F(TwoStreams, ReadAfterWriteWriteAfterReadWriteAfterWrite) {
  zero("s", a_);
  copy("t", a_, b_);
  zero("s", a_);
  zero("s", b_);
  EXPECT_THAT(deps(1), ElementsAre(0));
  EXPECT_THAT(deps(2), ElementsAre(1));
  EXPECT_THAT(deps(3), IsEmpty());  // op 2 has waited for op 1 already
}

TEST_F(TwoStreams, ReadersDoNotWaitForEachOther) {
  zero("s", a_);
  copy("s", a_, b_);
  const BufferSlice c = builder_.add_buffer("c", BufferKind::workspace, DType::f32, 8);
  copy("t", a_, c);
  EXPECT_THAT(deps(2), ElementsAre(0));
}

TEST_F(TwoStreams, SlicesThatOnlyTouchDoNotConflict) {
  zero("s", ProgramBuilder::part(a_, 0, 4));
  zero("t", ProgramBuilder::part(a_, 4, 4));
  zero("t", ProgramBuilder::part(a_, 3, 2));
  EXPECT_THAT(deps(1), IsEmpty());
  EXPECT_THAT(deps(2), ElementsAre(0));
}

TEST_F(TwoStreams, RefusesOperandsThatDoNotFit) {
  EXPECT_THROW(copy("s", a_, ProgramBuilder::part(b_, 0, 4)), Error);
  EXPECT_THROW(builder_.kernel("k", "s", pack(ZeroShape{.elements = 8}, DType::f32), {a_, b_}),
               Error);
  EXPECT_THROW((void)ProgramBuilder::part(a_, 4, 5), Error);
  EXPECT_THROW((void)builder_.add_buffer("a", BufferKind::workspace, DType::f32, 1), Error);
  EXPECT_THROW(builder_.comm("c", "s", {.axis = "dp", .count = 8}, a_, a_), Error);
  builder_.add_group({.axis = "dp", .ranks = {0}, .index = 0});
  EXPECT_THROW(builder_.add_group({.axis = "dp", .ranks = {0}, .index = 0}), Error);
  EXPECT_THROW(builder_.comm("c", "s", {.axis = "dp", .count = 4}, a_, a_), Error);
}

}  // namespace
}  // namespace stepmark
