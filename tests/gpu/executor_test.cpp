// SPDX-License-Identifier: Apache-2.0
// The CUDA executor against the host's: captured, op by op and traced.
#include "harness/exec/executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string_view>

#include "core/cuda/handles.h"
#include "core/error.h"
#include "harness/exec/cuda/cuda_device.h"
#include "harness/exec/cuda/cuda_executor.h"
#include "harness/exec/cuda/cuda_graph.h"
#include "kernels/cuda/cuda_kernels.h"
#include "tests/gpu/executor_fixture.h"

namespace stepmark::test {
namespace {

using ::testing::HasSubstr;

constexpr PrepareOptions kCaptured{.capture = true};
constexpr PrepareOptions kEager{.capture = false};

bool is_emulated() {
  cudaDeviceProp properties{};
  STEPMARK_CUDA_CHECK(cudaGetDeviceProperties(&properties, 0));
  return std::string_view(properties.name) == "Emulated GPU";
}

bool is_capturing(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  STEPMARK_CUDA_CHECK(cudaStreamIsCapturing(stream, &status));
  return status == cudaStreamCaptureStatusActive;
}

class CudaExecutorTest : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<Runnable> prepare(const Program& program,
                                                  const PrepareOptions& options) {
    return executor_->prepare(program, comms_, options);
  }

  std::unique_ptr<CudaDevice> device_ = make_cuda_device(0);
  std::unique_ptr<Executor> executor_ = make_cuda_executor(*device_);
  FakeCommSet comms_ = copying_comms();
};

TEST_F(CudaExecutorTest, RandomProgramsLeaveWhatTheHostLeaves) {
  for (unsigned seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 rng(seed);
    const Program program = random_program(rng);
    const Contents want = host_result(program);
    const auto captured = prepare(program, kCaptured), eager = prepare(program, kEager);
    for (int round = 0; round < 2; ++round) {
      fill(*captured, *device_);
      captured->run();
      captured->run();
      EXPECT_TRUE(read(*captured, *device_) == want) << "captured";
      fill(*eager, *device_);
      eager->run();
      captured->run_empty();  // must disturb neither
      eager->run_empty();
      eager->run();
      EXPECT_TRUE(read(*eager, *device_) == want) << "op by op";
      for (Runnable* runnable : {captured.get(), eager.get()}) {
        fill(*runnable, *device_);
        runnable->run_traced();
        runnable->run();
        EXPECT_TRUE(read(*runnable, *device_) == want) << "traced";
      }
    }
  }
}

// A step happens before it is captured, so that what comes with a first use is over; nothing of it
// is left.
TEST_F(CudaExecutorTest, PreparingExecutesBeforeItCapturesAndBuffersAreZero) {
  for (const PrepareOptions& options : {kCaptured, kEager}) {
    Program program = program_of({"compute"}, {buffer("a", 4), buffer("b", 4)});
    add_comm(program, "sync", 0, 0, 1);
    std::vector<bool> captured;
    comms_.comm.native_hook = [&](const void*, void* recv, std::size_t, void* native) {
      auto* stream = static_cast<cudaStream_t>(native);
      captured.push_back(is_capturing(stream));
      STEPMARK_CUDA_CHECK(cudaMemsetAsync(recv, 1, 16, stream));
    };
    const auto runnable = prepare(program, options);
    EXPECT_EQ(captured, options.capture ? std::vector({false, true}) : std::vector<bool>{});
    for (const auto& bytes : read(*runnable, *device_)) {
      EXPECT_THAT(bytes, testing::Each(std::byte{0}));
    }
    captured.clear();
    runnable->run();
    runnable->run();
    EXPECT_EQ(captured.size(), options.capture ? 0 : 2);
    EXPECT_THAT(read(*runnable, *device_)[1], testing::Each(std::byte{1}));
  }
}

TEST_F(CudaExecutorTest, AFailureWhileEnqueueingNamesItsOp) {
  Program program = ping_pong(4);
  program.rank = 5;
  add_comm(program, "layer3.sync", 1, 0, 1, {2});
  bool fail = true;
  comms_.comm.native_hook = [&](const void*, void*, std::size_t, void*) {
    if (fail) throw std::runtime_error("link down");
  };
  const auto expect_place = [](const auto& call) {
    try {
      call();
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kEnvironment);
      EXPECT_THAT(error.message(),
                  HasSubstr("rank 5: op 4 \"layer3.sync\" on stream dp: link down"));
    }
  };
  expect_place([&] { (void)prepare(program, kCaptured); });
  const auto eager = prepare(program, kEager);
  for (int i = 0; i < 3; ++i) expect_place([&] { eager->run(); });
  fail = false;  // a later step starts afresh
  const auto captured = prepare(program, kCaptured);
  for (Runnable* runnable : {eager.get(), captured.get()}) {
    fill(*runnable, *device_);
    runnable->run();
  }
  EXPECT_TRUE(read(*eager, *device_) == read(*captured, *device_));
}

TEST_F(CudaExecutorTest, AnErrorKeepsItsCode) {
  Program program = program_of({"compute"}, {buffer("a", 1)});
  add_comm(program, "check", 0, 0, 0);
  comms_.comm.native_hook = [](const void*, void*, std::size_t, void*) {
    throw Error(ExitCode::kCheckFailed, "wrong data");
  };
  try {
    prepare(program, kEager)->run();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kCheckFailed);
  }
}

TEST_F(CudaExecutorTest, TracedStepsHaveSpansThatKeepDependencies) {
  constexpr std::int64_t kClockStepNs = 1000;
  std::mt19937 rng(99);
  const Program program = random_program(rng);
  const auto runnable = prepare(program, kCaptured);
  EXPECT_EQ(runnable->timeline().step_ns, 0);
  for (int run = 0; run < 5; ++run) {
    runnable->run();
    EXPECT_GT(runnable->timeline().step_ns, 0);
    EXPECT_TRUE(runnable->timeline().spans.empty());
    runnable->run_traced();
    const Timeline timeline = runnable->timeline();
    ASSERT_EQ(timeline.spans.size(), program.ops.size());
    std::vector<std::int64_t> stream_end(program.streams.size(), 0);
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
      const Span& span = timeline.spans[i];
      EXPECT_EQ(span.op, static_cast<std::int32_t>(i));
      EXPECT_LE(span.begin_ns, span.end_ns);
      EXPECT_GE(span.wait_ns, 0);
      EXPECT_LE(span.end_ns, timeline.step_ns);
      auto& end = stream_end[static_cast<std::size_t>(program.ops[i].stream)];
      EXPECT_GE(span.begin_ns, end);
      end = span.end_ns;
      for (const std::int32_t dep : program.ops[i].deps) {
        EXPECT_GE(span.begin_ns + kClockStepNs,
                  timeline.spans[static_cast<std::size_t>(dep)].end_ns);
      }
    }
  }
}

TEST_F(CudaExecutorTest, ColdStepsSaySoAndComputeTheSame) {
  const Program program = ping_pong(6);
  const Contents want = host_result(program);
  for (const bool capture : {true, false}) {
    const auto warm = prepare(program, {.capture = capture, .cold = false});
    const auto cold = prepare(program, {.capture = capture, .cold = true});
    EXPECT_FALSE(warm->cold());
    EXPECT_TRUE(cold->cold());
    fill(*cold, *device_);
    cold->run();
    cold->run();
    EXPECT_TRUE(read(*cold, *device_) == want);
  }
}

TEST_F(CudaExecutorTest, TheEmptyStepCallsNoBodies) {
  Program program = program_of({"compute"}, {buffer("a", 1)});
  for (int i = 0; i < 200; ++i) add_comm(program, "op", 0, 0, 0);
  int calls = 0;
  comms_.comm.native_hook = [&](const void*, void*, std::size_t, void*) { ++calls; };
  for (const PrepareOptions& options : {kCaptured, kEager}) {
    const auto runnable = prepare(program, options);
    calls = 0;
    for (int i = 0; i < 3; ++i) EXPECT_GT(runnable->run_empty().host_s, 0);
    EXPECT_EQ(calls, 0);
    const EmptyStep empty = runnable->run_empty();
    EXPECT_EQ(empty.graph_s > 0, options.capture);
    std::cerr << (options.capture ? "captured: " : "op by op: ") << empty.host_s * 1e9 / 200
              << " ns per op on the host, " << empty.graph_s * 1e9 / 200
              << " ns per node of the graph on the GPU (negative: no graph)\n";
  }
}

// Tracing what is captured launches a graph as well: no launch of the host is in its spans.
TEST_F(CudaExecutorTest, CapturedStepsAreTracedAsAGraph) {
  Program program = program_of({"compute"}, {buffer("a", 4), buffer("b", 4)});
  add_comm(program, "sync", 0, 0, 1);
  int calls = 0;
  comms_.comm.native_hook = [&](const void*, void* recv, std::size_t, void* native) {
    ++calls;
    STEPMARK_CUDA_CHECK(cudaMemsetAsync(recv, 1, 16, static_cast<cudaStream_t>(native)));
  };
  for (const PrepareOptions& options : {kCaptured, kEager}) {
    const auto runnable = prepare(program, options);
    runnable->run_traced();
    calls = 0;
    runnable->run_traced();
    EXPECT_EQ(calls, options.capture ? 0 : 1);
    const Timeline timeline = runnable->timeline();
    ASSERT_EQ(timeline.spans.size(), 1U);
    EXPECT_EQ(timeline.mark_ns > 0, options.capture) << "what events in a graph cost is known";
  }
}

TEST_F(CudaExecutorTest, StepsBackToBackAreSoManySteps) {
  for (const PrepareOptions& options : {kCaptured, kEager}) {
    Program program = program_of({"compute"}, {buffer("a", 4), buffer("b", 4), buffer("c", 4)});
    // a grows by b in each step
    add_kernel(program, 0, pack(TriadShape{.elements = 4, .s = 1}, DType::f32), {0, 1, 2});
    add_kernel(program, 0, pack(CopyShape{.elements = 4}, DType::f32), {2, 0});
    const auto runnable = prepare(program, options);
    const std::vector<float> ones(4, 1.0F);
    device_->copy_to_device(runnable->buffer(1), ones.data(), 16);
    EXPECT_GT(runnable->run_back_to_back(5), 0);
    std::vector<float> sums(4);
    device_->copy_to_host(sums.data(), runnable->buffer(0), 16);
    EXPECT_THAT(sums, testing::Each(5.0F));
    EXPECT_THROW((void)runnable->run_back_to_back(0), Error);
  }
}

// A kernel of blocks that take turns, and beside it, on a stream of high priority, two single
// blocks one after the other: they must not wait for all of the turns. Whether the driver reports a
// graph's flags back is its choice.
TEST_F(CudaExecutorTest, GraphsKeepThePrioritiesOfStreams) {
  constexpr std::int64_t kTurns = 16, kThreads = 1024, kTurnNs = 200'000;
  const auto low = device_->create_stream("compute"), high = device_->create_stream("dp-high");
  const auto on = [](const auto& stream) { return static_cast<cudaStream_t>(stream->native()); };
  cuda::KernelContext context;
  const std::int64_t blocks = is_emulated() ? 1 : kTurns * 2 * context.sm_count();
  const Memory many = device_->allocate(static_cast<std::size_t>(blocks) * sizeof(float));
  const Memory one = device_->allocate(sizeof(float));
  const auto occupy = [&](const Memory& done, std::int64_t ctas) {
    void* operand = done.data();
    return cuda::prepare(
        pack(OccupyShape{.ctas = ctas, .threads = kThreads, .nanoseconds = kTurnNs}, DType::f32),
        &operand, context);
  };
  const auto turns = occupy(many, blocks), single = occupy(one, 1);
  const auto fork = cuda::make_order_event(), join = cuda::make_order_event();
  const auto low_end = cuda::make_timing_event(), high_end = cuda::make_timing_event();
  const auto note = [&](const cuda::EventOwner& event, cudaStream_t stream) {
    STEPMARK_CUDA_CHECK(cudaEventRecordWithFlags(event.get(), stream, cudaEventRecordExternal));
  };
  const cuda::GraphExecOwner graph = capture_graph(on(low), [&] {
    STEPMARK_CUDA_CHECK(cudaEventRecord(fork.get(), on(low)));
    STEPMARK_CUDA_CHECK(cudaStreamWaitEvent(on(high), fork.get(), 0));
    turns(on(low));
    note(low_end, on(low));
    single(on(high));
    single(on(high));
    note(high_end, on(high));
    STEPMARK_CUDA_CHECK(cudaEventRecord(join.get(), on(high)));
    STEPMARK_CUDA_CHECK(cudaStreamWaitEvent(on(low), join.get(), 0));
  });
  if (is_emulated()) {  // no priorities, and a runtime that tells
    unsigned long long flags = 0;
    STEPMARK_CUDA_CHECK(cudaGraphExecGetFlags(graph.get(), &flags));
    EXPECT_NE(flags & cudaGraphInstantiateFlagUseNodePriority, 0U);
    return;
  }
  STEPMARK_CUDA_CHECK(cudaGraphLaunch(graph.get(), on(low)));
  low->synchronize();
  EXPECT_GT(cuda::elapsed_ns(high_end.get(), low_end.get()), 0.0);
}

TEST_F(CudaExecutorTest, ProgramsWithoutOpsOrStreamsRun) {
  for (const PrepareOptions& options : {kCaptured, kEager}) {
    for (const Program& program :
         {program_of({}, {}), program_of({"compute", "dp"}, {buffer("a", 0)})}) {
      const auto runnable = prepare(program, options);
      EXPECT_NO_THROW(runnable->run());
      EXPECT_NO_THROW(runnable->run_traced());
      EXPECT_GE(runnable->run_empty().host_s, 0);
      EXPECT_THROW((void)runnable->buffer(1), Error);
    }
  }
}

TEST_F(CudaExecutorTest, ImpossibleProgramsAndOtherDevicesAreRefused) {
  Program program = ping_pong(2);
  program.ops[1].operands[0].elements = 5;
  EXPECT_THROW((void)prepare(program, kCaptured), Error);
  const auto host = make_host_device(1);
  EXPECT_THROW((void)make_cuda_executor(*host), Error);
}

}  // namespace
}  // namespace stepmark::test
