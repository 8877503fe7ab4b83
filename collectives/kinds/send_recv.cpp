// SPDX-License-Identifier: Apache-2.0
// A ring: every rank sends to the next and receives from the one before. S = bytes per rank.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

int previous(int ranks, int rank) { return (rank + ranks - 1) % ranks; }

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  return moved_value(setup, previous(ranks, rank), index);
}

CommShape shape(const CollectiveSetup& setup, int ranks, int rank) {
  CommShape shape = shape_of(Verb::send_recv, setup, sizes_per_rank(setup, ranks));
  shape.send_peer = (rank + 1) % ranks;
  shape.recv_peer = previous(ranks, rank);
  return shape;
}

int origin(const CollectiveSetup&, int ranks, int rank, std::size_t) {
  return previous(ranks, rank);
}

}  // namespace

const Collective send_recv =
    moving(CollectiveKind::send_recv, sizes_per_rank, expected, shape, origin);

}  // namespace stepmark::kinds
