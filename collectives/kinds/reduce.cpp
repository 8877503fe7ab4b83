// SPDX-License-Identifier: Apache-2.0
// out[i] = op over ranks of in[i], on the root only. S = bytes per rank.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  return rank == setup.root ? reduction_result(setup, ranks, index) : kUntouched;
}

}  // namespace

const Collective reduce = reducing(CollectiveKind::reduce, sizes_per_rank, expected,
                                   rooted_shape<Verb::reduce, sizes_per_rank>);

}  // namespace stepmark::kinds
