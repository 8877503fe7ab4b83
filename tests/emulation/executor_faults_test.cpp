// SPDX-License-Identifier: Apache-2.0
// What only an emulated GPU can show of the CUDA executor: that tests would notice a wait that is
// missing, that nothing leaks, and what failures of the GPU look like.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "core/error.h"
#include "harness/exec/cuda/cuda_device.h"
#include "harness/exec/cuda/cuda_executor.h"
#include "tests/emulation/runtime/emulated_stream.h"
#include "tests/emulation/runtime/emulation.h"
#include "tests/gpu/executor_fixture.h"

namespace stepmark::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kSeeds = 30;

class ExecutorFaults : public testing::Test {
 protected:
  void TearDown() override { emulation::reset(); }

  // In how many of kSeeds random orders two steps leave something else than the host's.
  int wrong(Runnable& runnable, const Contents& want, int ignored_wait) {
    int wrong = 0;
    for (int s = 0; s < kSeeds; ++s) {
      emulation::seed(static_cast<std::uint64_t>(s));
      fill(runnable, *device_);
      emulation::ignore_wait(ignored_wait);
      runnable.run();
      emulation::ignore_wait(0);
      STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());
      wrong += read(runnable, *device_) == want ? 0 : 1;
    }
    return wrong;
  }
  std::string error_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.message();
    }
    return "no error";
  }

  std::unique_ptr<CudaDevice> device_ = make_cuda_device(0);
  std::unique_ptr<Executor> executor_ = make_cuda_executor(*device_);
  FakeCommSet comms_ = copying_comms();
};

TEST_F(ExecutorFaults, EveryWaitThatIsLeftOutShowsInTheResult) {
  constexpr std::int32_t kOps = 8;
  const Program program = ping_pong(kOps);
  const Contents want = host_result(program);
  const auto eager = executor_->prepare(program, comms_, {.capture = false});
  EXPECT_EQ(wrong(*eager, want, 0), 0);
  // The first wait is the other stream's for the step's begin, which its first op implies.
  for (int n = 2; n <= kOps; ++n) EXPECT_GT(wrong(*eager, want, n), 0) << "wait " << n;
  EXPECT_EQ(wrong(*eager, want, kOps + 2), 0) << "there are no more waits";
}

TEST_F(ExecutorFaults, ADependencyThatAProgramLacksShowsInAGraph) {
  const Program whole = ping_pong(8);
  const Contents want = host_result(whole);
  for (std::size_t op = 1; op < whole.ops.size(); ++op) {
    Program lacking = whole;
    lacking.ops[op].deps.clear();
    const auto captured = executor_->prepare(lacking, comms_, {.capture = true});
    EXPECT_GT(wrong(*captured, want, 0), 0) << "op " << op;
  }
}

TEST_F(ExecutorFaults, AStepEndsWhenAllItsStreamsHaveEnded) {
  Program program = program_of({"compute", "dp"}, {buffer("a", kElements), buffer("b", kElements)});
  add_comm(program, "last", 1, 0, 1);
  for (const bool capture : {true, false}) {
    bool done = false;
    comms_.comm.native_hook = [&](const void*, void*, std::size_t, void* native) {
      emulation::enqueue(static_cast<cudaStream_t>(native), [&] { done = true; });
    };
    const auto runnable = executor_->prepare(program, comms_, {.capture = capture});
    for (int s = 0; s < kSeeds; ++s) {
      emulation::seed(static_cast<std::uint64_t>(s));
      done = false;
      runnable->run();
      EXPECT_TRUE(done);
    }
  }
}

TEST_F(ExecutorFaults, WorkThatFailsOnTheGpuNamesTheStep) {
  for (const bool capture : {true, false}) {
    Program program = ping_pong(3);
    program.rank = 7;
    add_comm(program, "sync", 1, 0, 1, {2});
    bool fail = false;
    comms_.comm.native_hook = [&](const void*, void*, std::size_t, void* native) {
      emulation::enqueue(static_cast<cudaStream_t>(native), [&] {
        if (fail) throw std::runtime_error("row remapping failed");
      });
    };
    {
      const auto runnable = executor_->prepare(program, comms_, {.capture = capture});
      fail = true;
      EXPECT_THAT(error_of([&] { runnable->run(); }),
                  AllOf(HasSubstr("rank 7: step of test: "), HasSubstr("cudaErrorLaunchFailure")));
      EXPECT_EQ(emulation::failure(), "row remapping failed");
      emulation::reset();  // so that what follows is about this test
    }
  }
}

TEST_F(ExecutorFaults, APeerThatDiedEndsTheStep) {
  bool alive = true;
  Program program = program_of({"compute"}, {buffer("a", 4)});
  add_comm(program, "sync", 0, 0, 0);
  comms_.comm.native_hook = [&](const void*, void*, std::size_t, void* native) {
    emulation::enqueue_polled(static_cast<cudaStream_t>(native), [&] { return alive; });
  };
  int checks = 0;
  device_->set_health_check([&] {
    if (++checks == 3) throw Error(ExitCode::kEnvironment, "rank 3 is gone");
  });
  const auto runnable = executor_->prepare(program, comms_, {.capture = true});
  checks = 0;
  alive = false;
  EXPECT_THAT(error_of([&] { runnable->run(); }), HasSubstr("step of test: rank 3 is gone"));
  EXPECT_EQ(checks, 3);
  alive = true;
  runnable->run();
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess) << "of asking whether it was ready";
}

TEST_F(ExecutorFaults, NothingLeaks) {
  device_ = nullptr;
  const emulation::LiveAllocations before = emulation::live_allocations();
  {
    const auto device = make_cuda_device(0);
    const auto executor = make_cuda_executor(*device);
    std::mt19937 rng(5);
    for (const bool capture : {true, false}) {
      const auto runnable =
          executor->prepare(random_program(rng), comms_, {.capture = capture, .cold = true});
      runnable->run();
      runnable->run_traced();
      runnable->run_empty();
    }
    EXPECT_NE(emulation::live_allocations(), before);
  }
  STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());  // memory is released in stream order
  EXPECT_EQ(emulation::live_allocations(), before);
  EXPECT_EQ(emulation::failure(), "");
}

// Lines that were written would have to be written back while what comes next is timed.
TEST_F(ExecutorFaults, ColdRunsEmptyTheCachesByReading) {
  const auto runnable = executor_->prepare(ping_pong(2), comms_, {.capture = true, .cold = true});
  ASSERT_TRUE(runnable->cold());
  const std::size_t before = emulation::memset_bytes();
  runnable->run();
  EXPECT_EQ(emulation::memset_bytes(), before);
}

TEST_F(ExecutorFaults, AnAllocationThatFailsLeavesEverythingAsItWas) {
  const Program program = ping_pong(4);
  const Contents want = host_result(program);
  const emulation::LiveAllocations before = emulation::live_allocations();
  int failures = 0;
  for (int n = 1; n <= 4; ++n) {
    // allocate() tries a second time, with its pool trimmed: so memory must be short for longer.
    setenv("STEPMARK_EMULATED_MEMORY", std::to_string(before.device_bytes + 300 * n).c_str(), 1);
    const std::string error =
        error_of([&] { (void)executor_->prepare(program, comms_, {.capture = true}); });
    unsetenv("STEPMARK_EMULATED_MEMORY");
    if (error != "no error") {
      EXPECT_THAT(error, HasSubstr("out of memory on GPU 0 (Emulated GPU)"));
      ++failures;
    }
    STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());
    EXPECT_EQ(emulation::live_allocations(), before);
  }
  EXPECT_EQ(failures, 4);
  const auto runnable = executor_->prepare(program, comms_);
  fill(*runnable, *device_);
  runnable->run();
  EXPECT_TRUE(read(*runnable, *device_) == want);
  EXPECT_EQ(emulation::failure(), "");
}

TEST_F(ExecutorFaults, AFailedCaptureLeavesNothingBehind) {
  Program program = ping_pong(3);
  add_comm(program, "sync", 1, 0, 1, {2});
  comms_.comm.native_hook = [](const void*, void*, std::size_t, void*) {
    throw std::runtime_error("link down");
  };
  const emulation::LiveAllocations before = emulation::live_allocations();
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(error_of([&] { (void)executor_->prepare(program, comms_, {.capture = true}); }),
                HasSubstr("link down"));
  }
  STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());
  EXPECT_EQ(emulation::live_allocations(), before);
  EXPECT_EQ(emulation::failure(), "");
}

TEST_F(ExecutorFaults, ColdStepsDoWithoutWhereMemoryIsShort) {
  const Program program = ping_pong(2);
  const std::size_t used = emulation::live_allocations().device_bytes;
  setenv("STEPMARK_EMULATED_MEMORY", std::to_string(used + 100000).c_str(), 1);
  const auto runnable = executor_->prepare(program, comms_, {.cold = true});
  unsetenv("STEPMARK_EMULATED_MEMORY");
  EXPECT_FALSE(runnable->cold());
  runnable->run();
}

}  // namespace
}  // namespace stepmark::test
