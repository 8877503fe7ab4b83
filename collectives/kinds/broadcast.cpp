// SPDX-License-Identifier: Apache-2.0
// out[i] = in of the root[i], on every rank. S = bytes per rank.
#include "collectives/exact_data.h"
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int, int, std::size_t index) {
  return moved_value(setup, setup.root, index);
}

CommShape shape(const CollectiveSetup& setup, int ranks, int) {
  CommShape shape = shape_of(Verb::broadcast, setup, sizes_per_rank(setup, ranks));
  shape.root = setup.root;
  return shape;
}

int origin(const CollectiveSetup& setup, int, int, std::size_t) { return setup.root; }

}  // namespace

const Collective broadcast{
    .kind = CollectiveKind::broadcast,
    .reduces = false,
    .supports_in_place = true,
    .sizes = sizes_per_rank,
    .input = own_data,
    .expected = expected,
    .shape = shape,
    .origin = origin,
};

}  // namespace stepmark::kinds
