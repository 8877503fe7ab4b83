// SPDX-License-Identifier: Apache-2.0
// Pairs of ranks (0 and 1, 2 and 3, ...) swap their data, as neighbours of a pipeline do: both
// directions of each link at once and no ring to fill. A last rank without a partner swaps with
// itself. S = bytes per rank.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

int partner(int ranks, int rank) {
  const int other = rank % 2 == 0 ? rank + 1 : rank - 1;
  return other < ranks ? other : rank;
}

}  // namespace

const Collective exchange = moving(CollectiveKind::exchange, sizes_per_rank, expected_from<partner>,
                                   message_shape<partner, partner>, origin_from<partner>);

}  // namespace stepmark::kinds
