// SPDX-License-Identifier: Apache-2.0
// out[i] = op over ranks of in[i], on every rank. S = bytes per rank.
#include "collectives/exact_data.h"
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int ranks, int, std::size_t index) {
  return reduction_result(setup, ranks, index);
}

CommShape shape(const CollectiveSetup& setup, int ranks, int) {
  return shape_of(Verb::all_reduce, setup, sizes_per_rank(setup, ranks));
}

}  // namespace

const Collective all_reduce{
    .kind = CollectiveKind::all_reduce,
    .reduces = true,
    .supports_in_place = true,
    .sizes = sizes_per_rank,
    .input = reduction_input,
    .expected = expected,
    .shape = shape,
    .origin = from_all_ranks,
};

}  // namespace stepmark::kinds
