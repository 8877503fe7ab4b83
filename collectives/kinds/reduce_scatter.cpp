// SPDX-License-Identifier: Apache-2.0
// out[i] = op over ranks of in[rank * count + i]. S = total = ranks * count elements.
#include "collectives/exact_data.h"
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

CollectiveSizes sizes(const CollectiveSetup& setup, int ranks) {
  return sizes_of_chunks(setup, ranks, /*send_all=*/true, /*recv_all=*/false);
}

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  const std::size_t chunk = sizes(setup, ranks).verb_count;
  return reduction_result(setup, ranks, static_cast<std::size_t>(rank) * chunk + index);
}

CommShape shape(const CollectiveSetup& setup, int ranks, int) {
  return shape_of(Verb::reduce_scatter, setup, sizes(setup, ranks));
}

}  // namespace

const Collective reduce_scatter{
    .kind = CollectiveKind::reduce_scatter,
    .reduces = true,
    .supports_in_place = true,
    .sizes = sizes,
    .input = reduction_input,
    .expected = expected,
    .shape = shape,
    .origin = from_all_ranks,
};

}  // namespace stepmark::kinds
