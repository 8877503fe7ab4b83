// SPDX-License-Identifier: Apache-2.0
// The verification must find what it claims to find: here the "collective" is done by hand, with
// and without mistakes.
#include "collectives/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/mpi/test_device.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;

constexpr int kRank = 1;
constexpr int kRanks = 4;

class Verify : public ::testing::Test {
 protected:
  CollectiveBuffers make(CollectiveKind kind, CollectiveSetup setup = {.size_bytes = 4000}) {
    CollectiveBuffers buffers(device_, collective(kind), setup, kRank, kRanks);
    buffers.fill();
    return buffers;
  }
  // Writes what a correct collective would.
  static void deliver(CollectiveKind kind, const CollectiveBuffers& buffers) {
    for (std::size_t i = 0; i < buffers.sizes().recv_count; ++i) {
      store_from_double(buffers.recv(), buffers.setup().dtype, i,
                        collective(kind).expected(buffers.setup(), kRanks, kRank, i));
    }
  }
  test::HostMemoryDevice device_;
};

TEST_F(Verify, AcceptsTheCorrectResult) {
  for (const auto kind : {CollectiveKind::all_reduce, CollectiveKind::all_gather,
                          CollectiveKind::reduce_scatter, CollectiveKind::all_to_all}) {
    const auto buffers = make(kind);
    deliver(kind, buffers);
    const Verification v = buffers.verify();
    EXPECT_TRUE(v.ok()) << v.describe();
    EXPECT_GT(v.checked, 0);
    EXPECT_THAT(v.describe(), HasSubstr("exact"));
  }
}

TEST_F(Verify, NamesTheIndexOfOneFlippedBit) {
  const auto buffers = make(CollectiveKind::all_gather);
  deliver(CollectiveKind::all_gather, buffers);
  buffers.recv()[4 * 617] ^= std::byte{1};  // lowest bit of element 617, of rank 2's chunk
  const Verification v = buffers.verify();
  EXPECT_FALSE(v.ok());
  EXPECT_EQ(1, v.wrong);
  EXPECT_EQ(617, v.first_bad);
  EXPECT_NE(v.expected, v.got);
  EXPECT_THAT(v.describe(),
              HasSubstr("1 of 1000 elements wrong, the first at index 617 (data of rank 2)"));
}

TEST_F(Verify, NamesTheRankWhoseContributionIsMissingOrDoubled) {
  const CollectiveKind kind = CollectiveKind::all_reduce;
  const auto buffers = make(kind);
  for (const double times : {-1.0, 1.0}) {
    deliver(kind, buffers);
    const double part = collective(kind).input(buffers.setup(), kRanks, 3, 40);
    const double sum = collective(kind).expected(buffers.setup(), kRanks, kRank, 40);
    store_from_double(buffers.recv(), DType::f32, 40, sum + times * part);
    EXPECT_THAT(buffers.verify().describe(),
                HasSubstr(times < 0 ? "index 40 (lacks the contribution of rank 3)"
                                    : "index 40 (has rank 3's contribution twice)"));
  }
}

TEST_F(Verify, ReportsElementsThatWereNeverWritten) {
  const auto buffers = make(CollectiveKind::all_reduce);
  const Verification v = buffers.verify();
  EXPECT_EQ(1000, v.wrong);
  EXPECT_EQ(0, v.first_bad);
  EXPECT_THAT(v.describe(), HasSubstr("never written"));
}

TEST_F(Verify, ReportsWritesWhereNothingWasToBeWritten) {
  const auto buffers = make(CollectiveKind::reduce);  // root 0, and we are rank 1
  EXPECT_TRUE(buffers.verify().ok());
  store_from_double(buffers.recv(), DType::f32, 7, 0.0);
  const Verification v = buffers.verify();
  EXPECT_EQ(1, v.wrong);
  EXPECT_EQ(7, v.first_bad);
  EXPECT_THAT(v.describe(), HasSubstr("expected it untouched"));
}

TEST_F(Verify, FindsOverwrittenGuardsOfBothBuffers) {
  const auto buffers = make(CollectiveKind::all_reduce);
  deliver(CollectiveKind::all_reduce, buffers);
  buffers.recv()[4000 + 3] ^= std::byte{0x10};
  Verification v = buffers.verify();
  EXPECT_EQ(0, v.wrong);
  EXPECT_FALSE(v.guards_intact);
  EXPECT_FALSE(v.ok());
  EXPECT_THAT(v.describe(), HasSubstr("guard of the receive buffer overwritten at byte 3 after"));
  buffers.recv()[4000 + 3] ^= std::byte{0x10};
  buffers.send()[-5] ^= std::byte{1};
  v = buffers.verify();
  EXPECT_FALSE(v.guards_intact);
  EXPECT_THAT(v.describe(), HasSubstr("guard of the send buffer overwritten at byte 5 before"));
}

TEST_F(Verify, FindsAChangedSendBuffer) {
  const auto buffers = make(CollectiveKind::all_reduce);
  deliver(CollectiveKind::all_reduce, buffers);
  buffers.send()[4 * 12 + 1] ^= std::byte{1};
  const Verification v = buffers.verify();
  EXPECT_FALSE(v.send_intact);
  EXPECT_FALSE(v.ok());
  EXPECT_THAT(v.describe(), HasSubstr("send buffer changed at element 12"));
}

TEST_F(Verify, PlacesInPlaceBuffersAtTheRanksChunk) {
  const auto gather = make(CollectiveKind::all_gather, {.size_bytes = 4000, .in_place = true});
  EXPECT_EQ(gather.recv() + 1000, gather.send());
  const auto scatter = make(CollectiveKind::reduce_scatter, {.size_bytes = 4000, .in_place = true});
  EXPECT_EQ(scatter.send() + 1000, scatter.recv());
  EXPECT_FALSE(scatter.repeatable());
  EXPECT_TRUE(gather.repeatable());
  EXPECT_THROW(make(CollectiveKind::all_to_all, {.size_bytes = 4000, .in_place = true}), Error);
}

TEST_F(Verify, WorksBeyondOnePiece) {
  const auto buffers = make(CollectiveKind::all_reduce, {.size_bytes = 4 * 200001});
  deliver(CollectiveKind::all_reduce, buffers);
  EXPECT_TRUE(buffers.verify().ok());
  buffers.recv()[4 * 200000] ^= std::byte{1};
  EXPECT_EQ(200000, buffers.verify().first_bad);
}

}  // namespace
}  // namespace stepmark
