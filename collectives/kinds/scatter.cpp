// SPDX-License-Identifier: Apache-2.0
// out[i] = in of the root[rank * count + i]. S = total = ranks * count elements.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  return moved_value(setup, setup.root, in_all_chunks(setup, ranks, rank, index));
}

}  // namespace

const Collective scatter = moving(CollectiveKind::scatter, sizes_scattered, expected,
                                  rooted_shape<Verb::scatter, sizes_scattered>, from_root);

}  // namespace stepmark::kinds
