// SPDX-License-Identifier: Apache-2.0
// out[r * count + i] = in of rank r[i], on every rank. S = total = ranks * count elements.
#include "collectives/exact_data.h"
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

CollectiveSizes sizes(const CollectiveSetup& setup, int ranks) {
  return sizes_of_chunks(setup, ranks, /*send_all=*/false, /*recv_all=*/true);
}

double expected(const CollectiveSetup& setup, int ranks, int, std::size_t index) {
  const ChunkPlace place = chunk_place(setup, ranks, index);
  return moved_value(setup, place.rank, place.offset);
}

void run(const CollectiveSetup& setup, const CollectiveSizes& sizes, Comm& comm, const void* send,
         void* recv, Stream& stream) {
  comm.all_gather(send, recv, sizes.verb_count, setup.dtype, stream);
}

int origin(const CollectiveSetup& setup, int ranks, int, std::size_t index) {
  return chunk_place(setup, ranks, index).rank;
}

}  // namespace

const Collective all_gather{
    .kind = CollectiveKind::all_gather,
    .reduces = false,
    .supports_in_place = true,
    .sizes = sizes,
    .input = own_data,
    .expected = expected,
    .run = run,
    .origin = origin,
};

}  // namespace stepmark::kinds
