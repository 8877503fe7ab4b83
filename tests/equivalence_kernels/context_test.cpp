// SPDX-License-Identifier: Apache-2.0
// Attention over chunks, put together over all pairs as ranks do it, is attention over the whole
// sequence: forward, backward, and with what brings tokens and heads to their ranks.
#include <gtest/gtest.h>

#include "kernels/ops/attention.h"
#include "kernels/ops/context.h"
#include "op_fixture.h"
#include "reference_ops.h"

namespace stepmark::test {
namespace {

constexpr double kTolerance = 1e-12;  // of sums in double
constexpr std::int64_t kBatch = 2, kChunk = 3, kWays = 3, kHeads = 4, kKvHeads = 2, kDim = 6;
constexpr std::int64_t kTokens = kBatch * 2 * kChunk;  // of a pair
constexpr std::int64_t kQ = kHeads * kDim, kKv = 2 * kKvHeads * kDim, kQkv = kQ + kKv;

// Pair `pair`'s part of what all pairs have one behind the other.
std::span<double> part(Vector& all, std::int64_t pair) {
  const std::size_t size = all.size() / kWays;
  return std::span(all).subspan(static_cast<std::size_t>(pair) * size, size);
}

// Tokens of whole sequences, `width` elements each, by pairs, and back.
Vector by_pairs(Vector whole, std::int64_t width) {
  Vector pairs(whole.size());
  reference(
      ChunksInOrderShape{
          .batch = kBatch, .chunk = kChunk, .ways = kWays, .width = width, .inverse = 1},
      whole, pairs);
  return pairs;
}
Vector in_order(Vector pairs, std::int64_t width) {
  Vector whole(pairs.size());
  reference(ChunksInOrderShape{.batch = kBatch, .chunk = kChunk, .ways = kWays, .width = width},
            pairs, whole);
  return whole;
}

template <class S>
S of(std::int64_t pair, std::int64_t key_pair, std::int64_t key_pairs, bool accumulate) {
  return {.batch = kBatch,
          .chunk = kChunk,
          .ways = kWays,
          .pair = pair,
          .key_pair = key_pair,
          .key_pairs = key_pairs,
          .heads = kHeads,
          .kv_heads = kKvHeads,
          .head_dim = kDim,
          .accumulate = accumulate ? 1 : 0};
}

struct Whole {
  Vector qkv = random_vector(kWays * kTokens * kQkv, 0);
  Vector dout = random_vector(kWays * kTokens * kQ, 1);
  Vector out = zeros(kWays * kTokens * kQ), lse = zeros(kWays * kTokens * kHeads);
  Vector dqkv = zeros(kWays * kTokens * kQkv);

  Whole() {
    AttentionFwdShape shape{.batch = kBatch,
                            .seq = 2 * kChunk * kWays,
                            .heads = kHeads,
                            .kv_heads = kKvHeads,
                            .head_dim = kDim};
    reference(shape, qkv, out, lse);
    reference(AttentionBwdShape{.batch = shape.batch,
                                .seq = shape.seq,
                                .heads = shape.heads,
                                .kv_heads = shape.kv_heads,
                                .head_dim = shape.head_dim},
              dout, qkv, out, lse, dqkv);
  }
};

// By one op over all keys, or by one op for each pair of them, beginning with the own one.
class Context : public ::testing::TestWithParam<bool> {};

TEST_P(Context, AllPairsTogetherAreTheWhole) {
  const bool ring = GetParam();
  const std::int64_t steps = ring ? kWays : 1;
  Whole whole;
  Vector qkv = by_pairs(whole.qkv, kQkv), dout = by_pairs(whole.dout, kQ);
  Vector kv = zeros(kWays * kTokens * kKv), out = zeros(kWays * kTokens * kQ);
  Vector dq = zeros(kWays * kTokens * kQ), dkv = zeros(kWays * kTokens * kKv);
  reference(
      KvSplitShape{
          .tokens = kWays * kTokens, .heads = kHeads, .kv_heads = kKvHeads, .head_dim = kDim},
      qkv, kv);
  for (std::int64_t pair = 0; pair < kWays; ++pair) {
    Vector lse = zeros(kTokens * kHeads);
    const auto keys_of = [&](std::int64_t step) {
      return ring ? (pair + kWays - step) % kWays : 0;
    };
    const auto kv_at = [&](std::int64_t step) {
      return ring ? part(kv, keys_of(step)) : std::span<double>(kv);
    };
    for (std::int64_t step = 0; step < steps; ++step) {
      const auto shape = of<AttentionChunksFwdShape>(pair, keys_of(step), kWays / steps, step > 0);
      reference(shape, part(qkv, pair), kv_at(step), part(out, pair), lse);
    }
    for (std::int64_t step = 0; step < steps; ++step) {
      Vector block = zeros(static_cast<std::int64_t>(kv_at(step).size()));
      const auto shape = of<AttentionChunksBwdShape>(pair, keys_of(step), kWays / steps, step > 0);
      reference(shape, part(dout, pair), part(qkv, pair), kv_at(step), part(out, pair), lse,
                part(dq, pair), block);
      const std::span<double> sum = ring ? part(dkv, keys_of(step)) : std::span<double>(dkv);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += block[i];
    }
  }
  Vector dqkv = zeros(kWays * kTokens * kQkv);
  reference(
      QkvJoinShape{
          .tokens = kWays * kTokens, .heads = kHeads, .kv_heads = kKvHeads, .head_dim = kDim},
      dq, dkv, dqkv);
  EXPECT_LT(relative_error(in_order(out, kQ), whole.out), kTolerance);
  EXPECT_LT(relative_error(in_order(dqkv, kQkv), whole.dqkv), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Keys, Context, ::testing::Bool(),
                         [](const auto& keys) { return keys.param ? "ByRing" : "Gathered"; });

TEST(ContextLayout, PositionsOfAllPairsAreThoseOfTheSequence) {
  const RopeShape rope{.batch = kBatch,
                       .seq = 2 * kChunk * kWays,
                       .heads = kHeads,
                       .kv_heads = kKvHeads,
                       .head_dim = kDim};
  Vector whole = random_vector(kWays * kTokens * kQkv, 3), pairs = by_pairs(whole, kQkv);
  reference(rope, whole);
  for (std::int64_t pair = 0; pair < kWays; ++pair) {
    reference(RopeChunksShape{.batch = kBatch,
                              .chunk = kChunk,
                              .ways = kWays,
                              .pair = pair,
                              .heads = kHeads,
                              .kv_heads = kKvHeads,
                              .head_dim = kDim},
              part(pairs, pair));
  }
  EXPECT_LT(relative_error(in_order(pairs, kQkv), whole), kTolerance);
}

// Each rank's heads of all tokens, as the exchange leaves them, attend as all heads at once do.
TEST(ContextLayout, HeadsOfEachRankAreThoseOfTheWhole) {
  constexpr std::int64_t kRanks = 2, kShare = kQkv / kRanks, kPairTokens = kBatch * 6;
  const HeadsToRanksShape to_ranks{.tokens = kPairTokens,
                                   .heads = kHeads,
                                   .kv_heads = kKvHeads,
                                   .head_dim = kDim,
                                   .ways = kRanks};
  Vector x = random_vector(kPairTokens * kQkv, 4), packed(x.size()), back(x.size());
  reference(to_ranks, x, packed);
  // Query head 2, key head 1 and value head 1 of token 5 are the first of their kind of rank 1.
  const auto of_rank = [&](std::int64_t head) {
    return packed[static_cast<std::size_t>((kPairTokens + 5) * kShare + head * kDim)];
  };
  const auto of_token = [&](std::int64_t head) {
    return x[static_cast<std::size_t>(5 * kQkv + head * kDim)];
  };
  EXPECT_EQ(of_rank(0), of_token(2));
  EXPECT_EQ(of_rank(2), of_token(kHeads + 1));
  EXPECT_EQ(of_rank(3), of_token(kHeads + kKvHeads + 1));
  HeadsToRanksShape way_back = to_ranks;
  way_back.inverse = 1;
  reference(way_back, packed, back);
  EXPECT_EQ(back, x);
}

}  // namespace
}  // namespace stepmark::test
