// SPDX-License-Identifier: Apache-2.0
// out[i] = in of the root[i], on every rank. S = bytes per rank.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int, int, std::size_t index) {
  return moved_value(setup, setup.root, index);
}

}  // namespace

const Collective broadcast =
    moving(CollectiveKind::broadcast, sizes_per_rank, expected,
           rooted_shape<Verb::broadcast, sizes_per_rank>, from_root, /*in_place=*/true);

}  // namespace stepmark::kinds
