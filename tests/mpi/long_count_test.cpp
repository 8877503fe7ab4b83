// SPDX-License-Identifier: Apache-2.0
// MPI counts are ints. The paths for longer buffers, walked with a limit of 100 elements per call.
#include "collectives/mpi/mpi_comm.h"
#include "collectives/mpi/mpi_runtime.h"
#include "tests/mpi/run_case.h"
#include "tests/unit/collectives/all_dtypes.h"

namespace stepmark {
namespace {

TEST(LongCounts, EveryCollectiveIsExact) {
  const auto comm = make_mpi_comm_with_limit(100);
  test::ImmediateStream stream;
  const auto n = static_cast<std::int64_t>(comm->size());
  for (const Collective* c : all_collectives()) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::u8}) {
      // Elements per rank: at the limit, one more, whole pieces, and a tail.
      for (const std::int64_t count : {100, 101, 300, 1234}) {
        test::for_each_form(*c, test::kAllReduceOps, [&](ReduceOp op, bool in_place) {
          test::run_case(*comm, stream, *c,
                         {.size_bytes = count * n * static_cast<std::int64_t>(size_of(dtype)),
                          .dtype = dtype,
                          .op = op,
                          .in_place = in_place,
                          .root = comm->size() / 2,
                          .seed = 21});
        });
      }
    }
  }
}

}  // namespace
}  // namespace stepmark
