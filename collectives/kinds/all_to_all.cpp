// SPDX-License-Identifier: Apache-2.0
// out[r * count + i] = in of rank r[rank * count + i]. S = total = ranks * count elements.
#include "collectives/exact_data.h"
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

CollectiveSizes sizes(const CollectiveSetup& setup, int ranks) {
  return sizes_of_chunks(setup, ranks, /*send_all=*/true, /*recv_all=*/true);
}

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  const std::size_t chunk = sizes(setup, ranks).verb_count;
  const ChunkPlace place = chunk_place(setup, ranks, index);
  return moved_value(setup, place.rank, static_cast<std::size_t>(rank) * chunk + place.offset);
}

CommShape shape(const CollectiveSetup& setup, int ranks, int) {
  return shape_of(Verb::all_to_all, setup, sizes(setup, ranks));
}

int origin(const CollectiveSetup& setup, int ranks, int, std::size_t index) {
  return chunk_place(setup, ranks, index).rank;
}

}  // namespace

const Collective all_to_all{
    .kind = CollectiveKind::all_to_all,
    .reduces = false,
    .supports_in_place = false,
    .sizes = sizes,
    .input = own_data,
    .expected = expected,
    .shape = shape,
    .origin = origin,
};

}  // namespace stepmark::kinds
