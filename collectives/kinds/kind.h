// SPDX-License-Identifier: Apache-2.0
// What the files of collectives/kinds share: the generated declarations and the two ways in which
// nccl-tests' size S becomes counts.
#pragma once

#include <limits>

#include "collectives/collective.h"
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

// Collective::shape where one size says it all.
[[nodiscard]] inline CommShape shape_of(Verb verb, const CollectiveSetup& setup,
                                        const CollectiveSizes& sizes) {
  return {.verb = verb,
          .dtype = setup.dtype,
          .op = setup.op,
          .count = static_cast<std::int64_t>(sizes.verb_count)};
}

// Collective::origin of reductions.
[[nodiscard]] inline int from_all_ranks(const CollectiveSetup&, int, int, std::size_t) {
  return kAllRanks;
}

// Collective::input of collectives that only move data.
[[nodiscard]] double own_data(const CollectiveSetup& setup, int ranks, int rank, std::size_t index);

}  // namespace stepmark::kinds
