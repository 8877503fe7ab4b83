// SPDX-License-Identifier: Apache-2.0
// out[r * count + i] = in of rank r[i], on every rank. S = total = ranks * count elements.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int ranks, int, std::size_t index) {
  const ChunkPlace place = chunk_place(setup, ranks, index);
  return moved_value(setup, place.rank, place.offset);
}

}  // namespace

const Collective all_gather =
    moving(CollectiveKind::all_gather, sizes_gathered, expected,
           plain_shape<Verb::all_gather, sizes_gathered>, from_chunks, /*in_place=*/true);

}  // namespace stepmark::kinds
