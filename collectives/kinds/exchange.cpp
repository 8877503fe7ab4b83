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

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  return moved_value(setup, partner(ranks, rank), index);
}

CommShape shape(const CollectiveSetup& setup, int ranks, int rank) {
  CommShape shape = shape_of(Verb::send_recv, setup, sizes_per_rank(setup, ranks));
  shape.send_peer = shape.recv_peer = partner(ranks, rank);
  return shape;
}

int origin(const CollectiveSetup&, int ranks, int rank, std::size_t) {
  return partner(ranks, rank);
}

}  // namespace

const Collective exchange =
    moving(CollectiveKind::exchange, sizes_per_rank, expected, shape, origin);

}  // namespace stepmark::kinds
