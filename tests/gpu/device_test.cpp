// SPDX-License-Identifier: Apache-2.0
// The CUDA device: memory, copies, streams, events, errors.
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/cuda/check.h"
#include "core/error.h"
#include "harness/exec/cuda/cuda_device.h"
#include "harness/exec/cuda/cuda_stream.h"
#include "harness/exec/executor.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

class CudaDeviceTest : public testing::Test {
 protected:
  static cudaStream_t native(Stream& stream) { return static_cast<cudaStream_t>(stream.native()); }
  static Task set(const Memory& memory, int value, Stream& stream) {
    return [&memory, value, s = native(stream)] {
      STEPMARK_CUDA_CHECK(cudaMemsetAsync(memory.data(), value, memory.bytes(), s));
    };
  }
  std::vector<unsigned char> read(const Memory& memory) {
    std::vector<unsigned char> bytes(memory.bytes());
    device_->copy_to_host(bytes.data(), memory.data(), bytes.size());
    return bytes;
  }

  std::unique_ptr<CudaDevice> device_ = make_cuda_device(0);
};

// How kernels are loaded is the driver's choice, or the user's.
TEST_F(CudaDeviceTest, TheEnvironmentIsLeftAlone) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment meanwhile
  EXPECT_EQ(std::getenv("CUDA_MODULE_LOADING"), nullptr);
}

TEST_F(CudaDeviceTest, CopiesOfManySizesComeBackWhole) {
  constexpr std::size_t kChunk = StagedCopies::kChunkBytes;
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, kChunk - 1, kChunk, kChunk + 1, 3 * kChunk + 17}) {
    std::vector<unsigned char> sent(bytes), got(bytes, 7);
    std::iota(sent.begin(), sent.end(), static_cast<unsigned char>(bytes));
    for (std::size_t i = 0; i < bytes; i += 4099) sent[i] = static_cast<unsigned char>(i / 4099);
    const Memory memory = device_->allocate(bytes);
    EXPECT_EQ(memory.bytes(), bytes);
    device_->copy_to_device(memory.data(), sent.data(), bytes);
    device_->copy_to_host(got.data(), memory.data(), bytes);
    EXPECT_TRUE(sent == got) << bytes;
  }
}

TEST_F(CudaDeviceTest, MemoryIsAlignedAndOutlivesItsDevice) {
  Memory memory;
  {
    const auto other = make_cuda_device(0);
    memory = other->allocate(1000);
  }
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % 256, 0U);
  const std::vector<unsigned char> bytes(1000, 5);
  device_->copy_to_device(memory.data(), bytes.data(), bytes.size());
  EXPECT_THAT(read(memory), Each(5));
}

TEST_F(CudaDeviceTest, CopiesFromManyThreads) {
  constexpr int kThreads = 4;
  std::vector<Memory> memory;
  for (int i = 0; i < kThreads; ++i) memory.push_back(device_->allocate(10000));
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const std::vector<unsigned char> bytes(10000, static_cast<unsigned char>(i));
      for (int repeat = 0; repeat < 5; ++repeat) {
        device_->copy_to_device(memory[static_cast<std::size_t>(i)].data(), bytes.data(), 10000);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kThreads; ++i) {
    EXPECT_THAT(read(memory[static_cast<std::size_t>(i)]), Each(i));
  }
}

TEST_F(CudaDeviceTest, TooMuchMemoryIsRefusedWithTheNumbers) {
  try {
    (void)device_->allocate(std::size_t{1} << 50);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kEnvironment);
    EXPECT_THAT(error.message(), AllOf(HasSubstr("out of memory on GPU 0 ("),
                                       HasSubstr("1 PiB asked for"), HasSubstr(" free")));
  }
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess) << "would be found by the next kernel launch";
  EXPECT_NE(device_->allocate(1000).data(), nullptr);
}

TEST_F(CudaDeviceTest, EventsOrderStreams) {
  const Memory a = device_->allocate(1 << 12);
  const auto one = device_->create_stream("compute"), two = device_->create_stream("dp-high");
  const auto event = device_->create_event();
  for (int round = 1; round < 50; ++round) {
    one->submit(set(a, round, *one));
    one->record(*event);
    two->wait(*event);
    two->submit(set(a, 100 + round, *two));
    two->synchronize();
    ASSERT_THAT(read(a), Each(100 + round));
  }
}

TEST_F(CudaDeviceTest, StreamsHaveTheirPriorityAndDoNotWaitForTheLegacyStream) {
  int lowest = 0, highest = 0;
  STEPMARK_CUDA_CHECK(cudaDeviceGetStreamPriorityRange(&lowest, &highest));
  const int normal = lowest - highest < 2 ? lowest : lowest - 1;
  for (const auto& [name, want] : {std::pair{"dp-high", highest}, std::pair{"compute", normal},
                                   std::pair{"optimizer-low", lowest}}) {
    const auto stream = device_->create_stream(name);
    EXPECT_EQ(stream->name(), name);
    int priority = 99;
    unsigned flags = 0;
    STEPMARK_CUDA_CHECK(cudaStreamGetPriority(native(*stream), &priority));
    STEPMARK_CUDA_CHECK(cudaStreamGetFlags(native(*stream), &flags));
    EXPECT_EQ(priority, want) << name;
    EXPECT_EQ(flags, static_cast<unsigned>(cudaStreamNonBlocking));
  }
}

TEST_F(CudaDeviceTest, EventsTellTheTime) {
  const Memory a = device_->allocate(1 << 20);
  const auto stream = device_->create_stream("compute");
  const auto begin = device_->create_event(), end = device_->create_event();
  EXPECT_EQ(begin->time_ns(), -1);
  begin->synchronize();  // never recorded: nothing to wait for
  stream->record(*begin);
  begin->synchronize();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  stream->submit(set(a, 1, *stream));
  stream->record(*end);
  end->synchronize();
  EXPECT_GE(begin->time_ns(), 0);
  EXPECT_GE(end->time_ns() - begin->time_ns(), 19'000'000);
  EXPECT_LE(end->time_ns() - begin->time_ns(), 2'000'000'000);
}

TEST_F(CudaDeviceTest, TheClockGoesOnWhenItsReferenceMoves) {
  const auto stream = device_->create_stream("compute");
  const auto early = device_->create_event(), late = device_->create_event();
  stream->record(*early);
  early->synchronize();
  const std::int64_t before_ns = early->time_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));  // longer than a reference lasts
  stream->record(*late);
  late->synchronize();
  const std::int64_t late_ns = late->time_ns();
  EXPECT_NEAR(static_cast<double>(early->time_ns()), static_cast<double>(before_ns), 2000.0);
  EXPECT_GE(late_ns - before_ns, 1'199'000'000);
}

TEST_F(CudaDeviceTest, ATaskThatThrowsStopsItsStreamUntilSynchronize) {
  const Memory a = device_->allocate(16);
  const auto stream = device_->create_stream("compute");
  stream->submit(set(a, 1, *stream));
  stream->submit([] { throw std::runtime_error("link down"); });
  stream->submit(set(a, 2, *stream));
  EXPECT_THROW(stream->synchronize(), std::runtime_error);
  EXPECT_THAT(read(a), Each(1));
  stream->submit(set(a, 3, *stream));
  stream->synchronize();
  EXPECT_THAT(read(a), Each(3));
}

TEST(CudaDeviceChoice, AnOrdinalThatIsNotThereIsNamed) {
  int count = 0;
  STEPMARK_CUDA_CHECK(cudaGetDeviceCount(&count));
  for (const int ordinal : {-1, count}) {
    try {
      (void)make_cuda_device(ordinal);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kEnvironment);
      EXPECT_THAT(error.message(),
                  AllOf(HasSubstr(fmt::format(
                            "there is no GPU {}: this process sees {} (0: ", ordinal, count)),
                        HasSubstr("CUDA_VISIBLE_DEVICES")));
    }
  }
}

TEST(CudaDeviceChoice, OtherDevicesAreRefused) {
  const auto host = make_host_device(1);
  EXPECT_THROW((void)as_cuda_device(*host), Error);
  const auto device = make_cuda_device(0);
  EXPECT_EQ(as_cuda_device(*device).ordinal(), 0);
  const auto stream = device->create_stream("compute");
  const auto event = host->create_event();
  EXPECT_THROW(stream->record(*event), Error);
}

// One rank of a run whose others are made up.
class FakeControl final : public Control {
 public:
  FakeControl(int local_rank, std::vector<int> others) : local_rank_(local_rank), others_(others) {}
  int rank() const override { return 0; }
  int size() const override { return 1 + static_cast<int>(others_.size()); }
  int local_rank() const override { return local_rank_; }
  int local_size() const override { return size(); }
  void barrier() override {}
  void max_in_place(std::span<double>) override {}
  std::string broadcast(std::string text) override { return text; }
  // The others have the GPUs with these ordinals, or (-1) an error.
  std::vector<std::string> gather(const std::string& text) override {
    std::vector<std::string> all = {text};
    for (const int other : others_) {
      if (other == local_rank_) {
        all.push_back(text);
      } else {
        all.push_back(other < 0 ? "-rank 1: no GPU" : fmt::format("gpu {}", other));
      }
    }
    return all;
  }

 private:
  int local_rank_;
  std::vector<int> others_;
};

TEST(CudaDeviceChoice, OneGpuPerRank) {
  FakeControl alone(0, {}), two(0, {1});
  EXPECT_EQ(choose_device(alone).ordinal, 0);
  EXPECT_FALSE(choose_device(alone).shared);
  EXPECT_FALSE(choose_device(two).shared);
}

TEST(CudaDeviceChoice, SharedGpusAreRefusedUnlessAllowed) {
  FakeControl shared(0, {1, 0});
  try {
    (void)choose_device(shared);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), AllOf(HasSubstr("ranks 0 and 2 have the same GPU"),
                                       HasSubstr("this host has 3 ranks")));
  }
  const DeviceChoice choice = choose_device(shared, /*allow_shared=*/true);
  EXPECT_TRUE(choice.shared);
}

TEST(CudaDeviceChoice, ARankWithoutGpuFailsAllRanks) {
  FakeControl broken(0, {-1});
  try {
    (void)choose_device(broken, true);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("rank 1: no GPU"));
  }
}

}  // namespace
}  // namespace stepmark
