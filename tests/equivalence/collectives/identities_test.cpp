// SPDX-License-Identifier: Apache-2.0
// Collectives in terms of each other. Independent of the expected values of collectives/cases: a
// mistake there, made on both sides, would pass their own check but not these.
#include <cstdint>
#include <vector>

#include "collectives/mpi/mpi_runtime.h"
#include "core/rng.h"
#include "tests/mpi/run_case.h"

namespace stepmark {
namespace {

constexpr std::size_t kChunk = 333;
constexpr DType kType = DType::f32;
using Floats = std::vector<float>;

class Identity : public ::testing::Test {
 protected:
  // Small integers: sums are exact in any order.
  [[nodiscard]] Floats random_floats() const {
    const Philox random(17, static_cast<std::uint64_t>(comm_->rank()));
    Floats values(all_);
    for (std::size_t i = 0; i < all_; ++i) {
      values[i] = static_cast<float>(random.below(i, 2001)) - 1000.0F;
    }
    return values;
  }

  std::unique_ptr<Comm> comm_ = make_mpi_comm();
  std::size_t ranks_ = static_cast<std::size_t>(comm_->size());
  std::size_t all_ = kChunk * ranks_;
  test::ImmediateStream stream_;
  Floats in_ = random_floats();
  Floats left_ = Floats(all_);
  Floats right_ = Floats(all_);
  Floats part_ = Floats(kChunk);
};

TEST_F(Identity, AllReduceIsReduceScatterThenAllGather) {
  for (const ReduceOp op : {ReduceOp::sum, ReduceOp::min, ReduceOp::max, ReduceOp::avg}) {
    comm_->all_reduce(in_.data(), left_.data(), all_, kType, op, stream_);
    comm_->reduce_scatter(in_.data(), part_.data(), kChunk, kType, op, stream_);
    comm_->all_gather(part_.data(), right_.data(), kChunk, kType, stream_);
    EXPECT_EQ(left_, right_) << name_of(op);
  }
}

TEST_F(Identity, AllReduceIsReduceThenBroadcast) {
  const int root = comm_->size() - 1;
  comm_->all_reduce(in_.data(), left_.data(), all_, kType, ReduceOp::sum, stream_);
  comm_->reduce(in_.data(), right_.data(), all_, kType, ReduceOp::sum, root, stream_);
  comm_->broadcast(right_.data(), right_.data(), all_, kType, root, stream_);
  EXPECT_EQ(left_, right_);
}

TEST_F(Identity, AllGatherIsGatherThenBroadcast) {
  comm_->all_gather(in_.data(), left_.data(), kChunk, kType, stream_);
  comm_->gather(in_.data(), right_.data(), kChunk, kType, 0, stream_);
  comm_->broadcast(right_.data(), right_.data(), all_, kType, 0, stream_);
  EXPECT_EQ(left_, right_);
}

TEST_F(Identity, AllToAllIsAScatterFromEveryRank) {
  comm_->all_to_all(in_.data(), left_.data(), kChunk, kType, stream_);
  for (int root = 0; root < comm_->size(); ++root) {
    float* chunk = right_.data() + static_cast<std::size_t>(root) * kChunk;
    comm_->scatter(in_.data(), chunk, kChunk, kType, root, stream_);
  }
  EXPECT_EQ(left_, right_);
}

TEST_F(Identity, AllToAllIsItsOwnInverse) {
  comm_->all_to_all(in_.data(), left_.data(), kChunk, kType, stream_);
  comm_->all_to_all(left_.data(), right_.data(), kChunk, kType, stream_);
  EXPECT_EQ(in_, right_);
}

TEST_F(Identity, AllToAllIsAllToAllVWithEqualCountsAndGroupedSends) {
  const std::vector<std::size_t> counts(ranks_, kChunk);
  std::vector<std::size_t> displs(ranks_);
  for (std::size_t r = 0; r < ranks_; ++r) displs[r] = r * kChunk;
  comm_->all_to_all(in_.data(), left_.data(), kChunk, kType, stream_);
  comm_->all_to_all_v(in_.data(), counts, displs, right_.data(), counts, displs, kType, stream_);
  EXPECT_EQ(left_, right_);

  right_.assign(all_, 0.0F);
  comm_->group_begin();
  for (int peer = 0; peer < comm_->size(); ++peer) {
    const auto at = static_cast<std::size_t>(peer) * kChunk;
    comm_->send(in_.data() + at, kChunk, kType, peer, stream_);
    comm_->recv(right_.data() + at, kChunk, kType, peer, stream_);
  }
  comm_->group_end(stream_);
  EXPECT_EQ(left_, right_);
}

}  // namespace
}  // namespace stepmark
