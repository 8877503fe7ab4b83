// SPDX-License-Identifier: Apache-2.0
// out[i] = in of the root[rank * count + i]. S = total = ranks * count elements.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  return moved_value(setup, setup.root, in_all_chunks(setup, ranks, rank, index));
}

CommShape shape(const CollectiveSetup& setup, int ranks, int) {
  return rooted_shape(Verb::scatter, setup, sizes_scattered(setup, ranks));
}

}  // namespace

const Collective scatter =
    moving(CollectiveKind::scatter, sizes_scattered, expected, shape, from_root);

}  // namespace stepmark::kinds
