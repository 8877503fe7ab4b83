// SPDX-License-Identifier: Apache-2.0
// A ring: every rank sends to the next and receives from the one before. S = bytes per rank.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

int previous(int ranks, int rank) { return (rank + ranks - 1) % ranks; }
int next(int ranks, int rank) { return (rank + 1) % ranks; }

}  // namespace

const Collective send_recv =
    moving(CollectiveKind::send_recv, sizes_per_rank, expected_from<previous>,
           message_shape<previous, next>, origin_from<previous>);

}  // namespace stepmark::kinds
