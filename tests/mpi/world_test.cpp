// SPDX-License-Identifier: Apache-2.0
// Every collective x dtype x operator x placement on all ranks: not one wrong bit.
#include "collectives/mpi/mpi_runtime.h"
#include "tests/mpi/run_case.h"
#include "tests/unit/collectives/all_dtypes.h"

namespace stepmark {
namespace {

using test::kAllDTypes;
using test::kAllReduceOps;

TEST(World, NothingOneElementAndOddSizes) {
  const auto comm = make_mpi_comm();
  test::ImmediateStream stream;
  for (const Collective* c : all_collectives()) {
    for (const DType dtype : kAllDTypes) {
      const auto width = static_cast<std::int64_t>(size_of(dtype));
      const std::int64_t ranks = comm->size();
      for (const std::int64_t size :
           {std::int64_t{0}, width, width * ranks, 337 * width * ranks + 5}) {
        test::for_each_form(*c, kAllReduceOps, [&](ReduceOp op, bool in_place) {
          test::run_case(*comm, stream, *c,
                         {.size_bytes = size,
                          .dtype = dtype,
                          .op = op,
                          .in_place = in_place,
                          .root = static_cast<int>(size) % comm->size(),
                          .seed = 11});
        });
      }
    }
  }
}

// The whole of fp32; of one type of each other width, sums out of place: the small sizes above have
// shown every form of every type, and verifying a million elements per rank takes its time.
TEST(World, OneMebibyte) {
  const auto comm = make_mpi_comm();
  test::ImmediateStream stream;
  for (const Collective* c : all_collectives()) {
    for (const DType dtype : {DType::f32, DType::f64, DType::bf16, DType::f8e4m3}) {
      test::for_each_form(*c, kAllReduceOps, [&](ReduceOp op, bool in_place) {
        if (dtype != DType::f32 && (op != ReduceOp::sum || in_place)) return;
        test::run_case(*comm, stream, *c,
                       {.size_bytes = 1 << 20,
                        .dtype = dtype,
                        .op = op,
                        .in_place = in_place,
                        .root = comm->size() - 1,
                        .seed = 12});
      });
    }
  }
}

TEST(World, TasksMayBeReplayed) {
  const auto comm = make_mpi_comm();
  test::HostMemoryDevice device;
  for (const Collective* c : all_collectives()) {
    test::for_each_form(*c, kAllReduceOps, [&](ReduceOp op, bool in_place) {
      const CollectiveSetup setup{.size_bytes = 4096, .op = op, .in_place = in_place};
      CollectiveBuffers buffers(device, *c, setup, comm->rank(), comm->size());
      test::RecordingStream stream;
      buffers.submit(*comm, stream);
      EXPECT_EQ(1U, stream.size()) << "a verb is one task";
      for (int round = 0; round < 3; ++round) {
        buffers.fill();
        stream.replay();
        if (buffers.repeatable()) stream.replay();
        EXPECT_TRUE(buffers.verify().ok())
            << case_name(*c, setup) << ": " << buffers.verify().describe();
      }
    });
  }
}

TEST(World, LoneSendsAndReceivesMeet) {
  const auto comm = make_mpi_comm();
  test::ImmediateStream stream;
  if (comm->size() == 1) GTEST_SKIP() << "a lone blocking send to oneself never returns";
  const int value = comm->rank() * 10;
  int got = -1;
  const int last = comm->size() - 1;
  // A chain: each rank receives from the one below, then sends up.
  if (comm->rank() > 0) comm->recv(&got, 1, DType::i32, comm->rank() - 1, stream);
  if (comm->rank() < last) comm->send(&value, 1, DType::i32, comm->rank() + 1, stream);
  EXPECT_EQ(comm->rank() > 0 ? value - 10 : -1, got);
}

TEST(World, NamesItself) {
  const auto comm = make_mpi_comm();
  EXPECT_EQ("mpi", comm->backend());
  EXPECT_FALSE(mpi_library_version().empty());
  EXPECT_GE(std::stod(mpi_standard_version()), 3.0);
}

}  // namespace
}  // namespace stepmark
