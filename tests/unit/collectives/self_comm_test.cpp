// SPDX-License-Identifier: Apache-2.0
// Every collective on a group of one, by the same verification as on many.
#include <gtest/gtest.h>

#include "collectives/verify.h"
#include "core/error.h"
#include "tests/mpi/test_device.h"
#include "tests/unit/collectives/all_dtypes.h"

namespace stepmark {
namespace {

TEST(SelfComm, EveryCollectiveIsExact) {
  test::HostMemoryDevice device;
  test::ImmediateStream stream;
  const auto comm = make_self_comm();
  EXPECT_EQ(0, comm->rank());
  EXPECT_EQ(1, comm->size());
  for (const Collective* c : all_collectives()) {
    for (const DType dtype : test::kAllDTypes) {
      for (const ReduceOp op : test::kAllReduceOps) {
        for (const bool in_place : {false, true}) {
          if (in_place && !c->supports_in_place) continue;
          const CollectiveSetup setup{
              .size_bytes = 1000, .dtype = dtype, .op = op, .in_place = in_place};
          CollectiveBuffers buffers(device, *c, setup, 0, 1);
          buffers.fill();
          buffers.submit(*comm, stream);
          const Verification v = buffers.verify();
          EXPECT_TRUE(v.ok()) << name_of(c->kind) << " " << name_of(dtype) << " " << name_of(op)
                              << ": " << v.describe();
        }
      }
    }
  }
}

TEST(SelfComm, RunsInTheStreamsOwnTime) {
  test::ThreadStream stream;
  const auto comm = make_self_comm();
  const int from = 3;
  int to = 0;
  comm->all_reduce(&from, &to, 1, DType::i32, ReduceOp::sum, stream);
  stream.synchronize();
  EXPECT_EQ(3, to);
}

TEST(SelfComm, SplitAndWrongPeers) {
  test::ImmediateStream stream;
  const auto comm = make_self_comm();
  EXPECT_EQ(nullptr, comm->split(-1, 0));
  EXPECT_EQ(1, comm->split(4, 0)->size());
  int x = 0;
  EXPECT_THROW(comm->broadcast(&x, &x, 1, DType::i32, 1, stream), Error);
  EXPECT_THROW(comm->send(&x, 1, DType::i32, 0, stream), Error);  // would wait for ever
  comm->group_begin();
  EXPECT_THROW(comm->group_begin(), Error);
  comm->send(&x, 1, DType::i32, 0, stream);
  EXPECT_THROW(comm->group_end(stream), Error);
}

}  // namespace
}  // namespace stepmark
