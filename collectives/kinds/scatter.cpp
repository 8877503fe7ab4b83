// SPDX-License-Identifier: Apache-2.0
// out[i] = in of the root[rank * count + i]. S = total = ranks * count elements.
#include "collectives/exact_data.h"
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

CollectiveSizes sizes(const CollectiveSetup& setup, int ranks) {
  return sizes_of_chunks(setup, ranks, /*send_all=*/true, /*recv_all=*/false);
}

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  const std::size_t chunk = sizes(setup, ranks).verb_count;
  return moved_value(setup, setup.root, static_cast<std::size_t>(rank) * chunk + index);
}

CommShape shape(const CollectiveSetup& setup, int ranks, int) {
  CommShape shape = shape_of(Verb::scatter, setup, sizes(setup, ranks));
  shape.root = setup.root;
  return shape;
}

int origin(const CollectiveSetup& setup, int, int, std::size_t) { return setup.root; }

}  // namespace

const Collective scatter{
    .kind = CollectiveKind::scatter,
    .reduces = false,
    .supports_in_place = false,
    .sizes = sizes,
    .input = own_data,
    .expected = expected,
    .shape = shape,
    .origin = origin,
};

}  // namespace stepmark::kinds
