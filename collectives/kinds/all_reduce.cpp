// SPDX-License-Identifier: Apache-2.0
// out[i] = op over ranks of in[i], on every rank. S = bytes per rank.
#include "collectives/exact_data.h"
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

double expected(const CollectiveSetup& setup, int ranks, int, std::size_t index) {
  return reduction_result(setup, ranks, index);
}

void run(const CollectiveSetup& setup, const CollectiveSizes& sizes, Comm& comm, const void* send,
         void* recv, Stream& stream) {
  comm.all_reduce(send, recv, sizes.verb_count, setup.dtype, setup.op, stream);
}

}  // namespace

const Collective all_reduce{
    .kind = CollectiveKind::all_reduce,
    .reduces = true,
    .supports_in_place = true,
    .sizes = sizes_per_rank,
    .input = reduction_input,
    .expected = expected,
    .run = run,
    .origin = from_all_ranks,
};

}  // namespace stepmark::kinds
