// SPDX-License-Identifier: Apache-2.0
// Random programs on several streams, run in memory that is used again by lifetimes: every op must
// leave what it leaves when each buffer has a place of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

#include "core/error.h"
#include "harness/exec/arena.h"
#include "harness/program/builder.h"
#include "tests/unit/exec/fake_comm.h"

namespace stepmark {
namespace {

constexpr std::int64_t kElements = 64;
constexpr std::int32_t kBuffers = 14;

// Whole buffers, written before they are read unless they are an input.
Program random_program(std::mt19937& rng) {
  static constexpr std::array kStreams{"compute", "copy", "tp", "dp"};
  const auto pick = [&](std::int32_t n) { return std::uniform_int_distribution{0, n - 1}(rng); };
  ProgramBuilder builder("random", 0, 1);
  builder.add_group({.axis = "x", .ranks = {0}, .index = 0});
  std::vector<BufferSlice> buffers, readable;
  for (std::int32_t b = 0; b < kBuffers; ++b) {
    buffers.push_back(builder.add_buffer(fmt::format("b{}", b),
                                         b < 2 ? BufferKind::input : BufferKind::activation,
                                         DType::u32, kElements));
  }
  readable = {buffers[0], buffers[1]};
  std::size_t stream = 0;
  for (std::int32_t i = 0; i < 70; ++i) {
    // Of the newest: what is older is dead, and its memory free.
    const auto newest = static_cast<std::int32_t>(std::min<std::size_t>(3, readable.size()));
    const BufferSlice from = *(readable.end() - 1 - pick(newest));
    const BufferSlice to = buffers[2 + static_cast<std::size_t>(pick(kBuffers - 2))];
    if (pick(4) == 0) stream = static_cast<std::size_t>(pick(4));
    builder.comm(fmt::format("op{}", i), kStreams[stream],
                 {.verb = Verb::all_reduce, .axis = "x", .dtype = DType::u32, .count = kElements},
                 from, to);
    readable.push_back(to);
  }
  return std::move(builder).take();
}

// Gives every op a comm of its own, whose all_reduce writes 31 x + n for the n-th op that is bound,
// and keeps a sum of what it wrote.
class SummingComms final : public CommSet {
 public:
  Comm& of(std::string_view) override {
    const auto n = static_cast<std::uint32_t>(comms_.size());
    auto& sum = *sums_.emplace_back(std::make_unique<std::uint64_t>(0));
    comms_.push_back(std::make_unique<test::FakeComm>(
        0, 1, [n, &sum](const void* send, void* recv, std::size_t count) {
          const auto* in = static_cast<const std::uint32_t*>(send);
          auto* out = static_cast<std::uint32_t*>(recv);
          sum = 0;
          for (std::size_t i = 0; i < count; ++i) {
            out[i] = in[i] * 31U + n;
            sum = sum * 1000003U + out[i];
            if (i % 16 == 0 && out[i] % 5 == 0) std::this_thread::yield();
          }
        }));
    return *comms_.back();
  }
  [[nodiscard]] std::vector<std::uint64_t> sums() const {
    std::vector<std::uint64_t> sums;
    for (const auto& sum : sums_) sums.push_back(*sum);
    return sums;
  }

 private:
  std::vector<std::unique_ptr<test::FakeComm>> comms_;
  std::vector<std::unique_ptr<std::uint64_t>> sums_;
};

class Execution {
 public:
  Execution(Device& device, Executor& executor, const Program& program,
            const PrepareOptions& options)
      : runnable_(executor.prepare(program, comms_, options)) {
    std::vector<std::uint32_t> values(kElements);
    for (std::int32_t b = 0; b < 2; ++b) {
      for (auto& value : values) value = static_cast<std::uint32_t>(&value - values.data() + b);
      device.copy_to_device(runnable_->buffer(b), values.data(), values.size() * sizeof(values[0]));
    }
  }
  std::vector<std::uint64_t> sums() {
    runnable_->run();
    return comms_.sums();
  }
  [[nodiscard]] std::size_t bytes() const { return runnable_->arena()->bytes(); }
  [[nodiscard]] const Runnable& runnable() const { return *runnable_; }

 private:
  SummingComms comms_;
  std::unique_ptr<Runnable> runnable_;
};

TEST(MemoryReuse, EveryOpLeavesWhatItLeavesWithoutIt) {
  std::mt19937 rng(20240608);
  const auto device = make_host_device(1);
  const auto executor = make_host_executor(*device);
  std::size_t reused = 0, apart = 0;
  for (int round = 0; round < 40; ++round) {
    const Program program = random_program(rng);
    Execution with(*device, *executor, program, {.reuse = true});
    Execution without(*device, *executor, program, {});
    const std::vector<std::uint64_t> expected = without.sums();
    for (int run = 0; run < 15; ++run) {
      ASSERT_EQ(with.sums(), expected) << "round " << round << " run " << run;
    }
    reused += with.bytes();
    apart += without.bytes();
  }
  EXPECT_LT(reused, apart) << "memory is used again, or nothing is tested";
}

TEST(MemoryReuse, TheArenaIsThePlannedPeakAndHasRoomForAnotherForm) {
  std::mt19937 rng(1);
  const Program program = random_program(rng);
  const auto device = make_host_device(1);
  const auto executor = make_host_executor(*device);
  const std::int64_t peak = plan_memory(program).bytes;
  Execution tight(*device, *executor, program, {.reuse = true});
  EXPECT_EQ(tight.bytes(), static_cast<std::size_t>(peak));
  Execution roomy(*device, *executor, program, {.reuse = true, .least_bytes = peak + 256});
  EXPECT_EQ(roomy.bytes(), static_cast<std::size_t>(peak) + 256);
  EXPECT_NO_THROW(
      Execution(*device, *executor, program, {.reuse = true, .buffers_of = &roomy.runnable()}));
  const PrepareOptions too_much{
      .reuse = true, .least_bytes = peak + 256, .buffers_of = &tight.runnable()};
  EXPECT_THROW(Execution(*device, *executor, program, too_much), Error);
}

}  // namespace
}  // namespace stepmark
