// SPDX-License-Identifier: Apache-2.0
// out[i] = op over ranks of in[rank * count + i]. S = total = ranks * count elements.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  return reduction_result(setup, ranks, in_all_chunks(setup, ranks, rank, index));
}

}  // namespace

const Collective reduce_scatter =
    reducing(CollectiveKind::reduce_scatter, sizes_scattered, expected,
             plain_shape<Verb::reduce_scatter, sizes_scattered>);

}  // namespace stepmark::kinds
