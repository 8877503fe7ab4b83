// SPDX-License-Identifier: Apache-2.0
// Size semantics of every collective (nccl-tests', see docs/measuring.md) and agreement of the
// generated registry with the kinds that core knows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "collectives/collective.h"
#include "core/error.h"

namespace stepmark {
namespace {

CollectiveSizes sizes_of(CollectiveKind kind, std::int64_t bytes, int ranks) {
  return collective(kind).sizes({.size_bytes = bytes, .dtype = DType::f32}, ranks);
}

TEST(Collectives, RegistryHoldsEveryKindOnce) {
  EXPECT_EQ(collective_kinds().size(), all_collectives().size());
  for (const Collective* c : all_collectives()) {
    EXPECT_EQ(c, &collective(c->kind));
    EXPECT_EQ(c->kind, collective_from(name_of(c->kind)));
  }
}

// So that a program's traffic can be told as that of a collective.
TEST(Verbs, EachHasACollectiveOfItsNameAndItsBusFactor) {
  for (const Verb verb : all_verbs()) {
    const CollectiveKind kind = collective_from(name_of(verb));
    EXPECT_EQ(verb_from(name_of(verb)), verb);
    EXPECT_EQ(bus_factor(verb, 8), bus_factor(kind, 8)) << name_of(verb);
    EXPECT_EQ(collective(kind).shape({.size_bytes = 1024}, 4, 1).verb, verb);
  }
  EXPECT_THROW(static_cast<void>(verb_from("allreduce")), Error);
}

// The root and the peers that each rank names, and only where the verb has such.
TEST(Collectives, ShapesNameTheirRootOrTheirPeers) {
  constexpr int kRanks = 4;
  const CollectiveSetup setup{.size_bytes = 1024, .root = 2};
  for (const Collective* c : all_collectives()) {
    for (int rank = 0; rank < kRanks; ++rank) {
      const CommShape shape = c->shape(setup, kRanks, rank);
      EXPECT_EQ(shape.root, is_rooted(shape.verb) ? 2 : -1) << name_of(c->kind);
      const bool passes = shape.verb == Verb::send_recv;
      EXPECT_EQ(shape.send_peer >= 0 || shape.recv_peer >= 0, passes) << name_of(c->kind);
      if (!passes) continue;
      // Who is sent to receives from here.
      EXPECT_EQ(c->shape(setup, kRanks, shape.send_peer).recv_peer, rank) << name_of(c->kind);
    }
  }
}

TEST(Collectives, SizeIsBytesPerRankForReductionsOnTheWhole) {
  for (const auto kind : {CollectiveKind::all_reduce, CollectiveKind::reduce,
                          CollectiveKind::broadcast, CollectiveKind::send_recv}) {
    const CollectiveSizes s = sizes_of(kind, 1027, 4);
    EXPECT_EQ(256U, s.send_count) << name_of(kind);
    EXPECT_EQ(256U, s.recv_count);
    EXPECT_EQ(256U, s.verb_count);
    EXPECT_EQ(1024, s.size_bytes);
  }
}

TEST(Collectives, SizeIsTheTotalWhereRanksHoldChunks) {
  const struct {
    CollectiveKind kind;
    std::size_t send, recv;
  } rows[]{{CollectiveKind::all_gather, 85, 255},  {CollectiveKind::gather, 85, 255},
           {CollectiveKind::scatter, 255, 85},     {CollectiveKind::reduce_scatter, 255, 85},
           {CollectiveKind::all_to_all, 255, 255}, {CollectiveKind::all_to_all_v, 255, 255}};
  for (const auto& row : rows) {
    const CollectiveSizes s = sizes_of(row.kind, 1024, 3);
    EXPECT_EQ(row.send, s.send_count) << name_of(row.kind);
    EXPECT_EQ(row.recv, s.recv_count) << name_of(row.kind);
    EXPECT_EQ(85U, s.verb_count) << name_of(row.kind);
    EXPECT_EQ(1020, s.size_bytes) << name_of(row.kind);
  }
}

TEST(Collectives, NothingIsLeftOfASizeBelowOneElementPerRank) {
  EXPECT_EQ(0, sizes_of(CollectiveKind::all_gather, 15, 4).size_bytes);
  EXPECT_EQ(16, sizes_of(CollectiveKind::all_gather, 16, 4).size_bytes);
}

// What rank r receives from all must be what all send to r: the totals over ranks agree, the hot
// rank receives exactly S, and nobody more.
TEST(Collectives, UnevenAllToAllHasOneHotRankThatReceivesTheWholeSize) {
  const Collective& c = collective(CollectiveKind::all_to_all_v);
  for (const int ranks : {1, 2, 5, 8}) {
    const CollectiveSetup setup{
        .size_bytes = std::int64_t{600} * ranks, .dtype = DType::f32, .seed = 4};
    const CollectiveSizes s = c.sizes(setup, ranks);
    int hot = 0;
    std::size_t least = s.recv_count;
    for (int rank = 0; rank < ranks; ++rank) {
      std::size_t received = 0;
      while (received < s.recv_count && !std::isnan(c.expected(setup, ranks, rank, received))) {
        ++received;
      }
      for (std::size_t i = received; i < s.recv_count; ++i) {
        EXPECT_TRUE(std::isnan(c.expected(setup, ranks, rank, i)));
      }
      hot += received == s.recv_count ? 1 : 0;
      least = std::min(least, received);
    }
    EXPECT_GE(hot, 1);
    EXPECT_TRUE(ranks == 1 || least < s.recv_count);
  }
}

TEST(Collectives, NamesOfReductionsAreReadBack) {
  for (const auto op :
       {ReduceOp::sum, ReduceOp::avg, ReduceOp::min, ReduceOp::max, ReduceOp::prod}) {
    EXPECT_EQ(op, reduce_op_from(name_of(op)));
  }
  try {
    (void)reduce_op_from("mean");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(ExitCode::kUsage, e.code());
  }
}

}  // namespace
}  // namespace stepmark
