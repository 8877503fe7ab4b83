// SPDX-License-Identifier: Apache-2.0
// out[i] = op over ranks of in[i], on the root only. S = bytes per rank.
#include "collectives/exact_data.h"
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  return rank == setup.root ? reduction_result(setup, ranks, index) : kUntouched;
}

CommShape shape(const CollectiveSetup& setup, int ranks, int) {
  CommShape shape = shape_of(Verb::reduce, setup, sizes_per_rank(setup, ranks));
  shape.root = setup.root;
  return shape;
}

}  // namespace

const Collective reduce{
    .kind = CollectiveKind::reduce,
    .reduces = true,
    .supports_in_place = true,
    .sizes = sizes_per_rank,
    .input = reduction_input,
    .expected = expected,
    .shape = shape,
    .origin = from_all_ranks,
};

}  // namespace stepmark::kinds
