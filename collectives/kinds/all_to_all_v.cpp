// SPDX-License-Identifier: Apache-2.0
// Uneven all-to-all, as token routing makes it: rank i sends count(i, j) elements to rank j, packed
// in rank order on both sides. The counts are a function of the seed: 0 to a full chunk, and one
// *hot* rank (a popular expert) gets a full chunk from everybody. Hence the largest send or receive
// total of any rank is what the hot one receives, and S = that total = ranks * chunk elements.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

constexpr std::uint64_t kParts = 15;  // counts are multiples of chunk / kParts, rounded down

class Routing {
 public:
  Routing(const CollectiveSetup& setup, int ranks)
      : bits_(mix_bits(~setup.seed)),
        hot_(static_cast<int>(bits_ % static_cast<std::uint64_t>(ranks))),
        chunk_(sizes_exchanged(setup, ranks).verb_count) {}

  std::size_t count(int from, int to) const {
    const auto pair = static_cast<std::uint64_t>(from) * kMaxRanks + static_cast<std::uint64_t>(to);
    const std::uint64_t parts = to == hot_ ? kParts : mix_bits(bits_ + pair) % (kParts + 1);
    return chunk_ * parts / kParts;
  }

 private:
  std::uint64_t bits_;
  int hot_;
  std::size_t chunk_;
};

// The sender of element `index` of `rank`'s receive buffer (`ranks` past the end of the data), and
// the element's index in the sender's send buffer.
ChunkPlace sender_place(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  const Routing routing(setup, ranks);
  for (int from = 0; from < ranks; ++from) {
    const std::size_t count = routing.count(from, rank);
    if (index >= count) {
      index -= count;
      continue;
    }
    for (int to = 0; to < rank; ++to) index += routing.count(from, to);
    return {from, index};
  }
  return {ranks, 0};
}

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  const ChunkPlace place = sender_place(setup, ranks, rank, index);
  return place.rank == ranks ? kUntouched : moved_value(setup, place.rank, place.offset);
}

CommShape shape(const CollectiveSetup& setup, int ranks, int rank) {
  const Routing routing(setup, ranks);
  CommShape shape = shape_of(Verb::all_to_all_v, setup, {});
  for (int peer = 0; peer < ranks; ++peer) {
    shape.send_counts.push_back(static_cast<std::int64_t>(routing.count(rank, peer)));
    shape.recv_counts.push_back(static_cast<std::int64_t>(routing.count(peer, rank)));
  }
  return shape;
}

int origin(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  return sender_place(setup, ranks, rank, index).rank;
}

}  // namespace

const Collective all_to_all_v =
    moving(CollectiveKind::all_to_all_v, sizes_exchanged, expected, shape, origin);

}  // namespace stepmark::kinds
