// SPDX-License-Identifier: Apache-2.0
// Several comms, each on a stream thread of its own, at the same time in the same process.
#include "collectives/mpi/mpi_runtime.h"
#include "tests/mpi/run_case.h"

namespace stepmark {
namespace {

constexpr int kRounds = 30;

struct Lane {
  Lane(Comm& group, Device& device, CollectiveKind kind, std::int64_t bytes, std::uint64_t seed)
      : comm(group),
        buffers(device, collective(kind), {.size_bytes = bytes, .seed = seed}, group.rank(),
                group.size()) {
    buffers.fill();
  }
  void submit() { buffers.submit(comm, stream); }
  Comm& comm;
  CollectiveBuffers buffers;
  test::ThreadStream stream;
};

// Even and odd ranks hand over in opposite order: with one thread of progress for both this would
// hang.
TEST(Concurrency, TwoCommsOnTwoStreams) {
  test::HostMemoryDevice device;
  const auto world = make_mpi_comm();
  const auto other = make_mpi_comm();
  Lane a(*world, device, CollectiveKind::all_reduce, 256 << 10, 1);
  Lane b(*other, device, CollectiveKind::all_gather, 64 << 10, 2);
  for (int round = 0; round < kRounds; ++round) {
    Lane& first = world->rank() % 2 == 0 ? a : b;
    Lane& second = world->rank() % 2 == 0 ? b : a;
    first.submit();
    second.submit();
  }
  for (Lane* lane : {&a, &b}) {
    lane->stream.synchronize();
    EXPECT_TRUE(lane->buffers.verify().ok()) << lane->buffers.verify().describe();
  }
}

// The mesh of a step: tensor groups and data groups, crossing each other, plus the main thread.
TEST(Concurrency, CrossingGroupsBesideTheControlPlane) {
  test::HostMemoryDevice device;
  const auto world = make_mpi_comm();
  const auto control = make_mpi_control();
  const auto tp = world->split(world->rank() / 2, world->rank());
  const auto dp = world->split(world->rank() % 2, world->rank());
  Lane a(*tp, device, CollectiveKind::reduce_scatter, 32 << 10, 3);
  Lane b(*dp, device, CollectiveKind::all_reduce, 512 << 10, 4);
  Lane c(*world, device, CollectiveKind::all_to_all_v, 8 << 10, 5);
  for (int round = 0; round < kRounds; ++round) {
    for (Lane* lane : {&a, &b, &c}) lane->submit();
    if (round % 10 == 0) control->barrier();
  }
  for (Lane* lane : {&a, &b, &c}) {
    lane->stream.synchronize();
    EXPECT_TRUE(lane->buffers.verify().ok()) << lane->buffers.verify().describe();
  }
}

}  // namespace
}  // namespace stepmark
