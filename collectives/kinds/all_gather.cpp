// SPDX-License-Identifier: Apache-2.0
// out[r * count + i] = in of rank r[i], on every rank. S = total = ranks * count elements.
#include "collectives/exact_data.h"
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

CollectiveSizes sizes(const CollectiveSetup& setup, int ranks) {
  return sizes_of_chunks(setup, ranks, /*send_all=*/false, /*recv_all=*/true);
}

double expected(const CollectiveSetup& setup, int ranks, int, std::size_t index) {
  const ChunkPlace place = chunk_place(setup, ranks, index);
  return moved_value(setup, place.rank, place.offset);
}

CommShape shape(const CollectiveSetup& setup, int ranks, int) {
  return shape_of(Verb::all_gather, setup, sizes(setup, ranks));
}

int origin(const CollectiveSetup& setup, int ranks, int, std::size_t index) {
  return chunk_place(setup, ranks, index).rank;
}

}  // namespace

const Collective all_gather{
    .kind = CollectiveKind::all_gather,
    .reduces = false,
    .supports_in_place = true,
    .sizes = sizes,
    .input = own_data,
    .expected = expected,
    .shape = shape,
    .origin = origin,
};

}  // namespace stepmark::kinds
