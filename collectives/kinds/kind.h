// SPDX-License-Identifier: Apache-2.0
// What the files of collectives/kinds share: the generated declarations, the ways in which
// nccl-tests' size S becomes counts, and what all that move data, or reduce it, have in common.
#pragma once

#include <limits>

#include "collectives/collective.h"
#include "collectives/exact_data.h"
#include "core/collective_list.h"  // generated: STEPMARK_COLLECTIVES(X)

namespace stepmark::kinds {

#define STEPMARK_COLLECTIVE_DECLARATION(name, factor) extern const Collective name;
STEPMARK_COLLECTIVES(STEPMARK_COLLECTIVE_DECLARATION)
#undef STEPMARK_COLLECTIVE_DECLARATION

// Value of an element that the verb must leave alone.
inline constexpr double kUntouched = std::numeric_limits<double>::quiet_NaN();

// S is bytes per rank: `verb_count` = S / size of an element, in both buffers.
[[nodiscard]] inline CollectiveSizes sizes_per_rank(const CollectiveSetup& setup, int) {
  const std::size_t width = size_of(setup.dtype);
  const std::size_t count = static_cast<std::size_t>(setup.size_bytes) / width;
  return {.send_count = count,
          .recv_count = count,
          .verb_count = count,
          .size_bytes = static_cast<std::int64_t>(count * width)};
}

// S is the total of `ranks` equal chunks of `verb_count` elements; a buffer holds one chunk or all.
[[nodiscard]] inline CollectiveSizes sizes_of_chunks(const CollectiveSetup& setup, int ranks,
                                                     bool send_all, bool recv_all) {
  const std::size_t width = size_of(setup.dtype);
  const auto n = static_cast<std::size_t>(ranks);
  const std::size_t chunk = static_cast<std::size_t>(setup.size_bytes) / width / n;
  return {.send_count = send_all ? n * chunk : chunk,
          .recv_count = recv_all ? n * chunk : chunk,
          .verb_count = chunk,
          .size_bytes = static_cast<std::int64_t>(n * chunk * width)};
}

// Each rank brings a chunk and has all in the end; the other way round; all on both sides.
[[nodiscard]] inline CollectiveSizes sizes_gathered(const CollectiveSetup& setup, int ranks) {
  return sizes_of_chunks(setup, ranks, /*send_all=*/false, /*recv_all=*/true);
}
[[nodiscard]] inline CollectiveSizes sizes_scattered(const CollectiveSetup& setup, int ranks) {
  return sizes_of_chunks(setup, ranks, /*send_all=*/true, /*recv_all=*/false);
}
[[nodiscard]] inline CollectiveSizes sizes_exchanged(const CollectiveSetup& setup, int ranks) {
  return sizes_of_chunks(setup, ranks, /*send_all=*/true, /*recv_all=*/true);
}
// Where element `index` of `rank`'s own chunk lies in a buffer of all chunks.
[[nodiscard]] inline std::size_t in_all_chunks(const CollectiveSetup& setup, int ranks, int rank,
                                               std::size_t index) {
  const std::size_t chunk = sizes_of_chunks(setup, ranks, true, true).verb_count;
  return static_cast<std::size_t>(rank) * chunk + index;
}

// Rank whose chunk an element of a buffer of all chunks belongs to, and the element within it.
struct ChunkPlace {
  int rank;
  std::size_t offset;
};
[[nodiscard]] inline ChunkPlace chunk_place(const CollectiveSetup& setup, int ranks,
                                            std::size_t index) {
  const std::size_t chunk = sizes_of_chunks(setup, ranks, false, false).verb_count;
  return {static_cast<int>(index / chunk), index % chunk};
}

using SizesFunction = decltype(Collective::sizes);

// A call of a verb where one size says it all.
[[nodiscard]] inline CommShape shape_of(Verb verb, const CollectiveSetup& setup,
                                        const CollectiveSizes& sizes) {
  return {.verb = verb,
          .dtype = setup.dtype,
          .op = setup.op,
          .count = static_cast<std::int64_t>(sizes.verb_count)};
}

// Collective::shape of such a call, and of one with a root.
template <Verb verb, SizesFunction sizes>
[[nodiscard]] CommShape plain_shape(const CollectiveSetup& setup, int ranks, int) {
  return shape_of(verb, setup, sizes(setup, ranks));
}
template <Verb verb, SizesFunction sizes>
[[nodiscard]] CommShape rooted_shape(const CollectiveSetup& setup, int ranks, int) {
  CommShape shape = shape_of(verb, setup, sizes(setup, ranks));
  shape.root = setup.root;
  return shape;
}

// Collective::origin of reductions, of what the root sends, and of chunks in rank order.
[[nodiscard]] inline int from_all_ranks(const CollectiveSetup&, int, int, std::size_t) {
  return kAllRanks;
}
[[nodiscard]] inline int from_root(const CollectiveSetup& setup, int, int, std::size_t) {
  return setup.root;
}
[[nodiscard]] inline int from_chunks(const CollectiveSetup& setup, int ranks, int,
                                     std::size_t index) {
  return chunk_place(setup, ranks, index).rank;
}

// Collective::expected, origin and shape where each rank receives from one and sends to one, as
// from(ranks, rank) and to(ranks, rank) say.
template <int (*from)(int ranks, int rank)>
[[nodiscard]] double expected_from(const CollectiveSetup& setup, int ranks, int rank,
                                   std::size_t index) {
  return moved_value(setup, from(ranks, rank), index);
}
template <int (*from)(int ranks, int rank)>
[[nodiscard]] int origin_from(const CollectiveSetup&, int ranks, int rank, std::size_t) {
  return from(ranks, rank);
}
template <int (*from)(int ranks, int rank), int (*to)(int ranks, int rank)>
[[nodiscard]] CommShape message_shape(const CollectiveSetup& setup, int ranks, int rank) {
  CommShape shape = shape_of(Verb::send_recv, setup, sizes_per_rank(setup, ranks));
  shape.send_peer = to(ranks, rank);
  shape.recv_peer = from(ranks, rank);
  return shape;
}

// Collective::input of collectives that only move data.
[[nodiscard]] double own_data(const CollectiveSetup& setup, int ranks, int rank, std::size_t index);

using ValueFunction = decltype(Collective::expected);
using ShapeFunction = decltype(Collective::shape);
using OriginFunction = decltype(Collective::origin);

// A collective that only moves data.
[[nodiscard]] constexpr Collective moving(CollectiveKind kind, SizesFunction sizes,
                                          ValueFunction expected, ShapeFunction shape,
                                          OriginFunction origin, bool in_place = false) {
  return {.kind = kind,
          .reduces = false,
          .supports_in_place = in_place,
          .sizes = sizes,
          .input = own_data,
          .expected = expected,
          .shape = shape,
          .origin = origin};
}
// One that reduces; all of these have a form in place.
[[nodiscard]] constexpr Collective reducing(CollectiveKind kind, SizesFunction sizes,
                                            ValueFunction expected, ShapeFunction shape) {
  Collective collective = moving(kind, sizes, expected, shape, from_all_ranks, /*in_place=*/true);
  collective.reduces = true;
  collective.input = reduction_input;
  return collective;
}

}  // namespace stepmark::kinds
