// SPDX-License-Identifier: Apache-2.0
// A ring: every rank sends to the next and receives from the one before. S = bytes per rank.
#include "collectives/exact_data.h"
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

int previous(int ranks, int rank) { return (rank + ranks - 1) % ranks; }

double expected(const CollectiveSetup& setup, int ranks, int rank, std::size_t index) {
  return moved_value(setup, previous(ranks, rank), index);
}

void run(const CollectiveSetup& setup, const CollectiveSizes& sizes, Comm& comm, const void* send,
         void* recv, Stream& stream) {
  comm.group_begin();
  comm.send(send, sizes.verb_count, setup.dtype, (comm.rank() + 1) % comm.size(), stream);
  comm.recv(recv, sizes.verb_count, setup.dtype, previous(comm.size(), comm.rank()), stream);
  comm.group_end(stream);
}

int origin(const CollectiveSetup&, int ranks, int rank, std::size_t) {
  return previous(ranks, rank);
}

}  // namespace

const Collective send_recv{
    .kind = CollectiveKind::send_recv,
    .reduces = false,
    .supports_in_place = false,
    .sizes = sizes_per_rank,
    .input = own_data,
    .expected = expected,
    .run = run,
    .origin = origin,
};

}  // namespace stepmark::kinds
