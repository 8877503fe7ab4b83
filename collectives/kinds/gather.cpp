// SPDX-License-Identifier: Apache-2.0
// out[r * count + i] = in of rank r[i], on the root only. S = total = ranks * count elements.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  if (rank != setup.root) return kUntouched;
  const ChunkPlace place = chunk_place(setup, ranks, index);
  return moved_value(setup, place.rank, place.offset);
}

}  // namespace

const Collective gather = moving(CollectiveKind::gather, sizes_gathered, expected,
                                 rooted_shape<Verb::gather, sizes_gathered>, from_chunks);

}  // namespace stepmark::kinds
