// SPDX-License-Identifier: Apache-2.0
// Each direction has data of its own, drawn from a seed that both ends know.
#include "collectives/message.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "collectives/kinds/kind.h"

namespace stepmark {
namespace {

CollectiveSizes sizes(const CollectiveSetup& setup, int ranks) {
  CollectiveSizes sizes = kinds::sizes_per_rank(setup, ranks);
  if (setup.send_peer < 0) sizes.send_count = 0;
  if (setup.recv_peer < 0) sizes.recv_count = 0;
  return sizes;
}

double value(const CollectiveSetup& setup, int from, int to, std::size_t index) {
  const std::uint64_t pair =
      static_cast<std::uint64_t>(from) * kMaxRanks + static_cast<std::uint64_t>(to);
  return moved_value({.dtype = setup.dtype, .seed = mix_bits(setup.seed ^ pair)}, from, index);
}

double input(const CollectiveSetup& setup, int, int rank, std::size_t index) {
  return value(setup, rank, setup.send_peer, index);
}

double expected(const CollectiveSetup& setup, int, int rank, std::size_t index) {
  return value(setup, setup.recv_peer, rank, index);
}

CommShape shape(const CollectiveSetup& setup, int ranks, int) {
  CommShape shape = kinds::shape_of(Verb::send_recv, setup, kinds::sizes_per_rank(setup, ranks));
  shape.send_peer = setup.send_peer;
  shape.recv_peer = setup.recv_peer;
  return shape;
}

int origin(const CollectiveSetup& setup, int, int, std::size_t) { return setup.recv_peer; }

std::size_t total(std::span<const std::int64_t> counts) {
  return static_cast<std::size_t>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
}

CollectiveSizes exchange_sizes(const CollectiveSetup& setup, int) {
  CollectiveSizes sizes{.send_count = total(setup.send_counts),
                        .recv_count = total(setup.recv_counts)};
  sizes.verb_count = std::max(sizes.send_count, sizes.recv_count);
  sizes.size_bytes = static_cast<std::int64_t>(sizes.verb_count * size_of(setup.dtype));
  return sizes;
}

// Whose block element `index` lies in, and where in it; past the last block a peer that is none.
kinds::ChunkPlace place_in(std::span<const std::int64_t> counts, std::size_t index) {
  int peer = 0;
  for (const std::int64_t count : counts) {
    if (index < static_cast<std::size_t>(count)) break;
    index -= static_cast<std::size_t>(count);
    ++peer;
  }
  return {peer, index};
}

double exchange_input(const CollectiveSetup& setup, int, int rank, std::size_t index) {
  const kinds::ChunkPlace place = place_in(setup.send_counts, index);
  return value(setup, rank, place.rank, place.offset);
}

double exchange_expected(const CollectiveSetup& setup, int, int rank, std::size_t index) {
  const kinds::ChunkPlace place = place_in(setup.recv_counts, index);
  return value(setup, place.rank, rank, place.offset);
}

CommShape exchange_shape(const CollectiveSetup& setup, int, int) {
  CommShape shape = kinds::shape_of(Verb::all_to_all_v, setup, {});
  shape.send_counts = setup.send_counts;
  shape.recv_counts = setup.recv_counts;
  return shape;
}

int exchange_origin(const CollectiveSetup& setup, int, int, std::size_t index) {
  return place_in(setup.recv_counts, index).rank;
}

}  // namespace

const Collective kMessage{.kind = CollectiveKind::send_recv,
                          .reduces = false,
                          .supports_in_place = false,
                          .sizes = sizes,
                          .input = input,
                          .expected = expected,
                          .shape = shape,
                          .origin = origin};

const Collective kExchange{.kind = CollectiveKind::all_to_all_v,
                           .reduces = false,
                           .supports_in_place = false,
                           .sizes = exchange_sizes,
                           .input = exchange_input,
                           .expected = exchange_expected,
                           .shape = exchange_shape,
                           .origin = exchange_origin};

}  // namespace stepmark
