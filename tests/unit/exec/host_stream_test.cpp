// SPDX-License-Identifier: Apache-2.0
#include "harness/exec/host/host_stream.h"

#include <gtest/gtest.h>
#include <omp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

#include "core/error.h"
#include "harness/exec/executor.h"

namespace stepmark {
namespace {

class HostStreamTest : public ::testing::Test {
 protected:
  std::unique_ptr<Device> device_ = make_host_device(3);
  std::unique_ptr<Stream> a_ = device_->create_stream("compute");
  std::unique_ptr<Stream> b_ = device_->create_stream("a name longer than threads may have");
};

TEST_F(HostStreamTest, RunsTasksInOrderOfSubmission) {
  std::vector<int> seen;
  for (int i = 0; i < 1000; ++i) a_->submit([&seen, i] { seen.push_back(i); });
  a_->synchronize();
  ASSERT_EQ(seen.size(), 1000u);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST_F(HostStreamTest, OpenMpThreadsAreThoseOfTheStream) {
  int compute = 0, other = 0;
  a_->submit([&] { compute = omp_get_max_threads(); });
  b_->submit([&] { other = omp_get_max_threads(); });
  a_->synchronize();
  b_->synchronize();
  EXPECT_EQ(compute, 3);
  EXPECT_EQ(other, 1);
}

// Threads that an OpenMP team adds have the priority of the stream as well.
TEST_F(HostStreamTest, LowStreamsComputeWithTheThreadsOfComputeAndTheLowestPriority) {
  const auto low = device_->create_stream("optimizer-low");
  const auto nices = [](Stream& stream) {
    std::vector<int> nice;
    stream.submit([&nice] {
#pragma omp parallel
      {
        const int own = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid()));
#pragma omp critical
        nice.push_back(own);
      }
    });
    stream.synchronize();
    return nice;
  };
  EXPECT_EQ(nices(*low), (std::vector<int>{19, 19, 19}));
  EXPECT_EQ(nices(*a_), std::vector<int>(3, getpriority(PRIO_PROCESS, 0)));
}

TEST_F(HostStreamTest, AnEventOrdersTwoStreams) {
  const auto event = device_->create_event();
  EXPECT_EQ(event->time_ns(), -1);
  b_->wait(*event);  // never recorded: nothing to wait for
  b_->synchronize();
  for (int i = 1; i <= 200; ++i) {
    int value = 0, seen = -1;
    std::atomic<bool> go{false};
    a_->submit([&] { go.wait(false); });
    a_->submit([&] { value = i; });
    a_->record(*event);
    b_->wait(*event);
    b_->submit([&] { seen = value; });
    go = true;
    go.notify_all();
    b_->synchronize();
    EXPECT_EQ(seen, i);
    a_->synchronize();
  }
}

TEST_F(HostStreamTest, EventTimesAreInOrder) {
  const auto first = device_->create_event();
  const auto second = device_->create_event();
  a_->record(*first);
  a_->submit([] {});
  a_->record(*second);
  second->synchronize();
  EXPECT_GE(first->time_ns(), 0);
  EXPECT_GE(second->time_ns(), first->time_ns());
}

TEST_F(HostStreamTest, AFailureStopsTheStreamUntilItIsCollected) {
  int after = 0;
  const auto event = device_->create_event();
  a_->submit([] { throw std::runtime_error("broken"); });
  a_->submit([&] { ++after; });
  a_->record(*event);
  event->synchronize();  // events go on: nobody is left waiting
  EXPECT_THROW(a_->synchronize(), std::runtime_error);
  EXPECT_EQ(after, 0);
  a_->submit([&] { ++after; });
  EXPECT_NO_THROW(a_->synchronize());
  EXPECT_EQ(after, 1);
}

TEST_F(HostStreamTest, DestructionFinishesWhatWasSubmitted) {
  int done = 0;
  for (int i = 0; i < 100; ++i) a_->submit([&] { ++done; });
  a_.reset();
  EXPECT_EQ(done, 100);
}

TEST_F(HostStreamTest, MemoryIsAlignedAndBounded) {
  const Memory small = device_->allocate(1000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(small.data()) % 256, 0u);
  EXPECT_EQ(small.bytes(), 1000u);
  const Memory large = device_->allocate(5u << 20);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(large.data()) % (2u << 20), 0u);
  EXPECT_EQ(device_->allocate(0).data(), nullptr);
  EXPECT_THROW((void)device_->allocate(std::size_t{1} << 59), Error);
}

TEST_F(HostStreamTest, CopiesRoundTrip) {
  const std::vector<int> in = {1, 2, 3};
  std::vector<int> out(3);
  const Memory memory = device_->allocate(sizeof(int) * 3);
  device_->copy_to_device(memory.data(), in.data(), memory.bytes());
  device_->copy_to_host(out.data(), memory.data(), memory.bytes());
  EXPECT_EQ(in, out);
}

TEST(HostDeviceTest, NeedsAThread) { EXPECT_THROW((void)make_host_device(0), Error); }

}  // namespace
}  // namespace stepmark
