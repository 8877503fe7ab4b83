// SPDX-License-Identifier: Apache-2.0
// out[i] = in of the root[i], on every rank. S = bytes per rank.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int, int, std::size_t index) {
  return moved_value(setup, setup.root, index);
}

CommShape shape(const CollectiveSetup& setup, int ranks, int) {
  return rooted_shape(Verb::broadcast, setup, sizes_per_rank(setup, ranks));
}

}  // namespace

const Collective broadcast = moving(CollectiveKind::broadcast, sizes_per_rank, expected, shape,
                                    from_root, /*in_place=*/true);

}  // namespace stepmark::kinds
