// SPDX-License-Identifier: Apache-2.0
// A group of one rank over MPI leaves the same bytes as the self comm: every collective of the
// list.
#include <cstring>
#include <vector>

#include "collectives/mpi/mpi_runtime.h"
#include "tests/mpi/run_case.h"
#include "tests/unit/collectives/all_dtypes.h"

namespace stepmark {
namespace {

std::vector<std::byte> received(Comm& comm, const Collective& c, const CollectiveSetup& setup) {
  test::HostMemoryDevice device;
  test::ImmediateStream stream;
  CollectiveBuffers buffers(device, c, setup, comm.rank(), comm.size());
  buffers.fill();
  buffers.submit(comm, stream);
  return {buffers.recv(), buffers.recv() + buffers.sizes().recv_count * size_of(setup.dtype)};
}

TEST(Backends, OneRankOverMpiEqualsTheSelfComm) {
  const auto world = make_mpi_comm();
  const auto alone = world->split(world->rank(), 0);
  const auto self = make_self_comm();
  for (const Collective* c : all_collectives()) {
    for (const DType dtype : test::kAllDTypes) {
      test::for_each_form(*c, test::kAllReduceOps, [&](ReduceOp op, bool in_place) {
        const CollectiveSetup setup{
            .size_bytes = 4001, .dtype = dtype, .op = op, .in_place = in_place};
        EXPECT_EQ(received(*self, *c, setup), received(*alone, *c, setup)) << case_name(*c, setup);
      });
    }
  }
}

}  // namespace
}  // namespace stepmark
