// SPDX-License-Identifier: Apache-2.0
// Attention over chunks: which engine computes the registry's shapes, which the kernels' test
// compares with the reference, and what these leave out: queries that see no key, results in fp32
// that nothing is added to, scores that hidden keys would drown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "kernels/cuda/engine_note.h"
#include "kernels/ops/context.h"
#include "tests/gpu/device_run.h"

namespace stepmark::test {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr double kNoKey = -std::numeric_limits<double>::infinity();

// Prepares, without running, on operands so many bytes behind aligned memory.
cuda::EngineNote engine_of(const OpShape& shape, std::size_t bf16_offset, std::size_t f32_offset) {
  alignas(256) static std::byte memory[256];
  std::array<void*, 7> operands{};
  for (std::size_t i = 0; i < info_of(shape.id).operands.size(); ++i) {
    operands[i] = memory + (dtype_of(shape, i) == DType::bf16 ? bf16_offset : f32_offset);
  }
  cuda::KernelContext context;
  (void)cuda::prepare(shape, operands.data(), context);
  return cuda::engine_note(shape);
}

class ChunksEngine : public testing::TestWithParam<OpId> {};

TEST_P(ChunksEngine, IsFlashWhereTensorCoresCan) {
  const OpInfo& info = info_of(GetParam());
  int narrow = 0, wide = 0, others = 0;
  for (const DType dtype : {DType::bf16, DType::f32}) {
    for (const OpShape& shape : info.test_shapes(dtype)) {
      SCOPED_TRACE(to_text(shape));
      const std::int64_t head_dim = dim_of(shape, "head_dim");
      const bool can = dtype == DType::bf16 && (head_dim == 64 || head_dim == 128);
      const cuda::EngineNote note = engine_of(shape, 0, 0);
      EXPECT_EQ(note.engine, can ? "flash" : "plain");
      if (can) {
        EXPECT_EQ(note.refused, cuda::lost_by_mma(cuda::KernelContext().compute_capability()));
      } else {
        EXPECT_EQ(note.refused.empty(), dtype == DType::f32) << note.refused;
      }
      ++(!can ? others : head_dim == 64 ? narrow : wide);
      if (!can) continue;
      // Rows of bf16 are read in packs, those of fp32 written in pairs.
      EXPECT_EQ(engine_of(shape, 16, 8).engine, "flash");
      EXPECT_EQ(engine_of(shape, 8, 0).engine, "plain");
      const cuda::EngineNote plain = engine_of(shape, 0, 4);
      EXPECT_EQ(plain.engine, "plain");
      EXPECT_THAT(plain.refused, HasSubstr("tensor cores"));
    }
  }
  EXPECT_GE(narrow, 2);
  EXPECT_GE(wide, 2);
  EXPECT_GE(others, 2);
}

INSTANTIATE_TEST_SUITE_P(Ops, ChunksEngine,
                         testing::Values(OpId::attention_chunks_fwd, OpId::attention_chunks_bwd),
                         [](const auto& op) { return std::string(info_of(op.param).name); });

struct Fixture {
  OpShape shape;
  Values before, want;

  template <class S>
  explicit Fixture(const S& s) : shape(pack(s, DType::bf16)), before(random_operands(shape, 13)) {}

  HostResult run() {
    want = before;
    run_reference(shape, want);
    HostResult got = run_cuda(shape, before, false);
    EXPECT_TRUE(got.guards_intact) << "wrote outside its operands";
    EXPECT_EQ(cuda::engine_note(shape).engine, "flash");
    return got;
  }
  void expect_reference() {
    SCOPED_TRACE(to_text(shape));
    const HostResult got = run();
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (!is_written(shape, i)) continue;
      EXPECT_LE(relative_error(got.values[i], want[i]), tolerance_of(shape, i))
          << info_of(shape.id).operands[i].name;
    }
  }
};

// The first half of pair 1 sees nothing of pair 2, the second half all of it.
AttentionChunksFwdShape half_blind(std::int64_t head_dim) {
  return {.batch = 1,
          .chunk = 37,
          .ways = 3,
          .pair = 1,
          .key_pair = 2,
          .key_pairs = 1,
          .heads = 2,
          .kv_heads = 1,
          .head_dim = head_dim};
}

std::vector<double> half_of(const std::vector<double>& all, std::ptrdiff_t half) {
  const auto size = std::ssize(all) / 2;
  return {all.begin() + half * size, all.begin() + (half + 1) * size};
}

TEST(ChunksFwd, QueriesThatSeeNoKeyAreZeroOrStayAsTheyAre) {
  for (const std::int64_t head_dim : {64, 128}) {
    for (const std::int64_t out_f32 : {0, 1}) {
      auto s = half_blind(head_dim);
      s.out_f32 = out_f32;
      Fixture first(s);
      const HostResult fresh = first.run();
      EXPECT_THAT(half_of(fresh.values[2], 0), Each(0.0));
      EXPECT_LE(relative_error(half_of(fresh.values[2], 1), half_of(first.want[2], 1)),
                tolerance_of(first.shape, 2));
      for (std::int64_t i = 0; i < s.heads * 2 * s.chunk; ++i) {
        const bool blind = i / s.chunk % 2 == 0;
        const double lse = fresh.values[3][static_cast<std::size_t>(i)];
        EXPECT_TRUE(blind ? lse == kNoKey : std::isfinite(lse)) << i << " " << lse;
      }
    }
    auto s = half_blind(head_dim);
    s.out_f32 = s.accumulate = 1;
    Fixture more(s);
    const HostResult kept = more.run();
    const auto before = half_of(more.before[2], 0);
    EXPECT_THAT(half_of(kept.values[2], 0), testing::ElementsAreArray(before));
    more.expect_reference();
  }
}

// What a rank meets that saw no key before: the merge takes all from the new keys.
TEST(ChunksFwd, MergesWithQueriesThatHaveSeenNoKey) {
  auto s = half_blind(64);
  s.out_f32 = s.accumulate = 1;
  Fixture fixture(s);
  fixture.before[2].assign(fixture.before[2].size(), 0.0);
  fixture.before[3].assign(fixture.before[3].size(), kNoKey);
  const HostResult got = fixture.run();
  EXPECT_LE(relative_error(got.values[2], fixture.want[2]), tolerance_of(fixture.shape, 2));
  EXPECT_EQ(got.values[3][0], kNoKey);
  EXPECT_NEAR(got.values[3][37], fixture.want[3][37], 1e-5);
}

TEST(ChunksFwd, WritesFp32ThatNothingIsAddedTo) {
  for (const std::int64_t head_dim : {64, 128}) {
    Fixture(AttentionChunksFwdShape{.batch = 2,
                                    .chunk = 41,
                                    .ways = 2,
                                    .pair = 0,
                                    .key_pair = 0,
                                    .key_pairs = 1,
                                    .heads = 1,
                                    .kv_heads = 1,
                                    .head_dim = head_dim,
                                    .out_f32 = 1})
        .expect_reference();
  }
}

// All scores are about -200, those of the zeros behind a chunk's end would be 0.
template <class S>
Fixture with_low_scores(std::int64_t head_dim) {
  Fixture fixture(S{.batch = 1,
                    .chunk = 37,
                    .ways = 2,
                    .pair = 1,
                    .key_pair = 0,
                    .key_pairs = 2,
                    .heads = 1,
                    .kv_heads = 1,
                    .head_dim = head_dim});
  const bool bwd = fixture.shape.id == OpId::attention_chunks_bwd;
  auto& qkv = fixture.before[bwd ? 1 : 0];
  auto& kv = fixture.before[bwd ? 2 : 1];
  const auto d = static_cast<std::size_t>(head_dim);
  const double key = head_dim == 64 ? -25.0 : -17.75;
  for (std::size_t i = 0; i < qkv.size(); ++i) {
    if (i % (3 * d) < d) qkv[i] = 1.0;
  }
  for (std::size_t i = 0; i < kv.size(); ++i) {
    if (i % (2 * d) < d) kv[i] = key;
  }
  return fixture;
}

TEST(Chunks, KeysBehindAChunksEndAreHiddenFromLowScores) {
  for (const std::int64_t head_dim : {64, 128}) {
    with_low_scores<AttentionChunksFwdShape>(head_dim).expect_reference();
    Fixture backward = with_low_scores<AttentionChunksBwdShape>(head_dim);
    for (double& lse : backward.before[4]) lse = -195;
    backward.expect_reference();
  }
}

TEST(ChunksFwd, NanInGivesNanOut) {
  auto s = half_blind(64);
  s.out_f32 = s.accumulate = 1;
  for (const std::size_t operand :
       {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
    Fixture fixture(s);
    auto& values = fixture.before[operand];
    // Of the last query (keys and values of it follow), or of the last value, result, lse.
    values[values.size() - (operand == 0 ? 2 * 64 + 1 : 1)] = std::nan("");
    const HostResult got = fixture.run();
    EXPECT_TRUE(std::isnan(got.values[2].back())) << operand;
  }
}

}  // namespace
}  // namespace stepmark::test
