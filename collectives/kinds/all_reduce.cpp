// SPDX-License-Identifier: Apache-2.0
// out[i] = op over ranks of in[i], on every rank. S = bytes per rank.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int ranks, int, std::size_t index) {
  return reduction_result(setup, ranks, index);
}

}  // namespace

const Collective all_reduce = reducing(CollectiveKind::all_reduce, sizes_per_rank, expected,
                                       plain_shape<Verb::all_reduce, sizes_per_rank>);

}  // namespace stepmark::kinds
