// SPDX-License-Identifier: Apache-2.0
// out[r * count + i] = in of rank r[rank * count + i]. S = total = ranks * count elements.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  const ChunkPlace place = chunk_place(setup, ranks, index);
  return moved_value(setup, place.rank, in_all_chunks(setup, ranks, rank, place.offset));
}

}  // namespace

const Collective all_to_all = moving(CollectiveKind::all_to_all, sizes_exchanged, expected,
                                     plain_shape<Verb::all_to_all, sizes_exchanged>, from_chunks);

}  // namespace stepmark::kinds
