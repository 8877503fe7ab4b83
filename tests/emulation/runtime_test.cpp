// SPDX-License-Identifier: Apache-2.0
// The emulated CUDA runtime itself: that it lets pass what CUDA promises, and nothing else.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/cuda/check.h"
#include "core/cuda/handles.h"
#include "core/error.h"
#include "tests/emulation/runtime/emulated_stream.h"
#include "tests/emulation/runtime/emulation.h"

namespace stepmark::emulation {
namespace {

using cuda::EventOwner;
using cuda::StreamOwner;

class EmulatedRuntime : public testing::Test {
 protected:
  void TearDown() override { reset(); }

  void log(const StreamOwner& stream, char letter) {
    enqueue(stream.get(), [this, letter] { log_ += letter; });
  }
  static cudaError_t begin(const StreamOwner& stream) {
    return cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal);
  }
  static cudaError_t end(const StreamOwner& stream) {
    cudaGraph_t graph = nullptr;
    const cudaError_t status = cudaStreamEndCapture(stream.get(), &graph);
    if (graph != nullptr) STEPMARK_CUDA_CHECK(cudaGraphDestroy(graph));
    return status;
  }
  static void order(const StreamOwner& first, const StreamOwner& second, const EventOwner& event) {
    STEPMARK_CUDA_CHECK(cudaEventRecord(event.get(), first.get()));
    STEPMARK_CUDA_CHECK(cudaStreamWaitEvent(second.get(), event.get(), 0));
  }

  std::string log_;
  StreamOwner a_ = cuda::make_stream(), b_ = cuda::make_stream();
  EventOwner event_ = cuda::make_timing_event(), other_ = cuda::make_timing_event();
};

TEST_F(EmulatedRuntime, NothingRunsBeforeSomethingWaits) {
  log(a_, 'a');
  EXPECT_EQ(log_, "");
  STEPMARK_CUDA_CHECK(cudaStreamSynchronize(a_.get()));
  EXPECT_EQ(log_, "a");
}

TEST_F(EmulatedRuntime, UnorderedStreamsRunInEitherOrderAndOrderedOnesInOne) {
  std::set<std::string> unordered, ordered;
  for (std::uint64_t s = 0; s < 40; ++s) {
    seed(s);
    log_.clear();
    log(a_, 'a');
    log(b_, 'b');
    STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());
    unordered.insert(log_);
    log_.clear();
    log(a_, 'a');
    order(a_, b_, event_);
    log(b_, 'b');
    STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());
    ordered.insert(log_);
  }
  EXPECT_EQ(unordered, (std::set<std::string>{"ab", "ba"}));
  EXPECT_EQ(ordered, (std::set<std::string>{"ab"}));
}

TEST_F(EmulatedRuntime, TheLegacyStreamWaitsForBlockingStreamsOnly) {
  cudaStream_t raw = nullptr;
  STEPMARK_CUDA_CHECK(cudaStreamCreate(&raw));
  const StreamOwner blocking(raw);
  std::set<std::string> logs;
  for (std::uint64_t s = 0; s < 40; ++s) {
    seed(s);
    log_.clear();
    log(blocking, '1');
    enqueue(nullptr, [this] { log_ += '2'; });
    log(blocking, '3');
    log(a_, 'a');
    STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());
    logs.insert(log_);
    std::erase(log_, 'a');
    ASSERT_EQ(log_, "123");
  }
  EXPECT_GT(logs.size(), 2U);
}

TEST_F(EmulatedRuntime, EventsAreReachedWhenTheirStreamGetsThere) {
  log(a_, 'a');
  STEPMARK_CUDA_CHECK(cudaEventRecord(event_.get(), a_.get()));
  float ms = 0;
  EXPECT_EQ(cudaEventElapsedTime(&ms, event_.get(), event_.get()), cudaErrorNotReady);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorNotReady) << "as on CUDA";
  (void)cudaGetLastError();
  STEPMARK_CUDA_CHECK(cudaEventSynchronize(event_.get()));
  EXPECT_EQ(log_, "a");
  STEPMARK_CUDA_CHECK(cudaEventElapsedTime(&ms, event_.get(), event_.get()));
  EXPECT_EQ(cudaEventElapsedTime(&ms, event_.get(), other_.get()), cudaErrorInvalidResourceHandle);
}

TEST_F(EmulatedRuntime, PolledWorkHoldsUpItsOwnStreamOnly) {
  bool open = false;
  enqueue_polled(a_.get(), [&] { return open; });
  log(a_, 'a');
  log(b_, 'b');
  STEPMARK_CUDA_CHECK(cudaStreamSynchronize(b_.get()));
  EXPECT_EQ(log_, "b");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(cudaStreamQuery(a_.get()), cudaErrorNotReady);
  open = true;
  STEPMARK_CUDA_CHECK(cudaStreamSynchronize(a_.get()));
  EXPECT_EQ(log_, "ba");
}

TEST_F(EmulatedRuntime, AGraphOfTwoStreamsRunsOncePerLaunchInAnyOrderOfItsEdges) {
  STEPMARK_CUDA_CHECK(begin(a_));
  log(a_, '1');
  order(a_, b_, event_);
  log(b_, '2');
  log(a_, '3');
  order(b_, a_, other_);
  log(a_, '4');
  cudaGraph_t raw = nullptr;
  STEPMARK_CUDA_CHECK(cudaStreamEndCapture(a_.get(), &raw));
  const cuda::GraphOwner graph(raw);
  std::size_t nodes = 0;
  STEPMARK_CUDA_CHECK(cudaGraphGetNodes(graph.get(), nullptr, &nodes));
  EXPECT_EQ(nodes, 4U);
  cudaGraphExec_t exec = nullptr;
  STEPMARK_CUDA_CHECK(cudaGraphInstantiate(&exec, graph.get(), 0));
  const cuda::GraphExecOwner owner(exec);
  EXPECT_EQ(log_, "");
  std::set<std::string> logs;
  for (int i = 0; i < 60; ++i) {
    log_.clear();
    STEPMARK_CUDA_CHECK(cudaGraphLaunch(exec, a_.get()));
    STEPMARK_CUDA_CHECK(cudaStreamSynchronize(a_.get()));
    logs.insert(log_);
  }
  EXPECT_EQ(logs, (std::set<std::string>{"1234", "1324"}));
}

TEST_F(EmulatedRuntime, CapturesThatCudaForbidsAreErrors) {
  // A stream that joined and is not joined again.
  STEPMARK_CUDA_CHECK(begin(a_));
  log(a_, '1');
  order(a_, b_, event_);
  log(b_, '2');
  EXPECT_EQ(end(a_), cudaErrorStreamCaptureUnjoined);
  // Synchronous calls on a captured stream, and what might touch it.
  STEPMARK_CUDA_CHECK(begin(a_));
  EXPECT_EQ(cudaStreamSynchronize(a_.get()), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(a_), cudaErrorStreamCaptureInvalidated);
  void* data = nullptr;
  STEPMARK_CUDA_CHECK(begin(a_));
  EXPECT_EQ(cudaMalloc(&data, 10), cudaErrorStreamCaptureUnsupported);
  std::thread([] {  // another thread may, in thread-local mode
    void* own = nullptr;
    EXPECT_EQ(cudaMalloc(&own, 10), cudaSuccess);
    EXPECT_EQ(cudaFree(own), cudaSuccess);
  })
      .join();
  EXPECT_EQ(end(a_), cudaErrorStreamCaptureInvalidated);
  STEPMARK_CUDA_CHECK(begin(a_));
  cudaStreamCaptureMode mode =
      cudaStreamCaptureModeRelaxed;  // as a library may, on its own account
  STEPMARK_CUDA_CHECK(cudaThreadExchangeStreamCaptureMode(&mode));
  EXPECT_EQ(cudaMalloc(&data, 10), cudaSuccess);
  STEPMARK_CUDA_CHECK(cudaThreadExchangeStreamCaptureMode(&mode));
  EXPECT_EQ(end(a_), cudaSuccess);
  EXPECT_EQ(cudaFree(data), cudaSuccess);
  // Work outside of the capture.
  STEPMARK_CUDA_CHECK(cudaEventRecord(event_.get(), b_.get()));
  STEPMARK_CUDA_CHECK(begin(a_));
  EXPECT_EQ(cudaStreamWaitEvent(a_.get(), event_.get(), 0), cudaErrorStreamCaptureIsolation);
  EXPECT_EQ(end(a_), cudaErrorStreamCaptureInvalidated);
  // Two captures.
  STEPMARK_CUDA_CHECK(begin(a_));
  STEPMARK_CUDA_CHECK(begin(b_));
  STEPMARK_CUDA_CHECK(cudaEventRecord(event_.get(), a_.get()));
  EXPECT_EQ(cudaStreamWaitEvent(b_.get(), event_.get(), 0), cudaErrorStreamCaptureMerge);
  EXPECT_EQ(end(a_), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(end(b_), cudaErrorStreamCaptureInvalidated);
  // An event of a capture says nothing outside of it.
  EXPECT_EQ(cudaEventQuery(event_.get()), cudaErrorCapturedEvent);
  (void)cudaGetLastError();
}

TEST_F(EmulatedRuntime, CopiesOfPageableMemoryReadBeforeTheyReturnAndOfPinnedOnesLater) {
  void *device = nullptr, *pinned = nullptr;
  STEPMARK_CUDA_CHECK(cudaMalloc(&device, 2));
  STEPMARK_CUDA_CHECK(cudaMallocHost(&pinned, 1));
  auto* to = static_cast<char*>(device);
  char pageable = 'x';
  *static_cast<char*>(pinned) = 'x';
  STEPMARK_CUDA_CHECK(cudaMemcpyAsync(to, &pageable, 1, cudaMemcpyHostToDevice, a_.get()));
  STEPMARK_CUDA_CHECK(cudaMemcpyAsync(to + 1, pinned, 1, cudaMemcpyHostToDevice, a_.get()));
  pageable = 'y';
  *static_cast<char*>(pinned) = 'y';
  char got[3] = {};
  STEPMARK_CUDA_CHECK(cudaMemcpyAsync(got, device, 2, cudaMemcpyDeviceToHost, a_.get()));
  EXPECT_STREQ(got, "xy");
  EXPECT_EQ(cudaMemcpy(got, pinned, 1, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(to, got, 3, cudaMemcpyHostToDevice), cudaErrorInvalidValue) << "too long";
  (void)cudaGetLastError();
  STEPMARK_CUDA_CHECK(cudaFree(device));
  STEPMARK_CUDA_CHECK(cudaFreeHost(pinned));
}

TEST_F(EmulatedRuntime, MemoryIsPoisonedCountedAndGuarded) {
  const LiveAllocations before = live_allocations();
  void* data = nullptr;
  STEPMARK_CUDA_CHECK(cudaMalloc(&data, 100));
  EXPECT_EQ(live_allocations().device_blocks, before.device_blocks + 1);
  EXPECT_EQ(live_allocations().device_bytes, before.device_bytes + 100);
  unsigned char byte = 0;
  STEPMARK_CUDA_CHECK(cudaMemcpy(&byte, data, 1, cudaMemcpyDeviceToHost));
  EXPECT_EQ(byte, 0xFF);
  STEPMARK_CUDA_CHECK(cudaFree(data));
  EXPECT_EQ(cudaFree(data), cudaErrorInvalidValue) << "twice";
  (void)cudaGetLastError();
  EXPECT_EQ(live_allocations(), before);

  STEPMARK_CUDA_CHECK(cudaMalloc(&data, 100));
  enqueue(nullptr, [data] { static_cast<char*>(data)[100] = 1; });
  EXPECT_EQ(cudaFree(data), cudaErrorIllegalAddress);
  EXPECT_NE(failure().find("outside of its 100 bytes"), std::string::npos);
}

TEST_F(EmulatedRuntime, WritingToFreedMemoryIsFound) {
  void* data = nullptr;
  STEPMARK_CUDA_CHECK(cudaMallocAsync(&data, 100, a_.get()));
  STEPMARK_CUDA_CHECK(cudaFreeAsync(data, a_.get()));
  (void)live_allocations();
  EXPECT_EQ(failure(), "");
  enqueue(a_.get(), [data] { static_cast<char*>(data)[5] = 1; });
  STEPMARK_CUDA_CHECK(cudaStreamSynchronize(a_.get()));
  (void)live_allocations();
  EXPECT_EQ(failure(), "memory was written after it was freed");
  static_cast<char*>(data)[5] = -1;  // for the tests that follow
}

TEST_F(EmulatedRuntime, TheNthAllocationFailsOnce) {
  void *first = nullptr, *second = nullptr;
  fail_allocation(2);
  EXPECT_EQ(cudaMalloc(&first, 1), cudaSuccess);
  EXPECT_EQ(cudaMallocAsync(&second, 1, a_.get()), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMallocAsync(&second, 1, a_.get()), cudaSuccess);
  EXPECT_EQ(cudaFree(first), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(second, a_.get()), cudaSuccess);
  (void)cudaGetLastError();
}

TEST_F(EmulatedRuntime, WorkThatThrowsBreaksTheDeviceForGood) {
  enqueue(a_.get(), [] { throw std::runtime_error("bank 7 is on fire"); });
  log(a_, 'a');
  EXPECT_EQ(cudaStreamSynchronize(a_.get()), cudaErrorLaunchFailure);
  EXPECT_EQ(failure(), "bank 7 is on fire");
  EXPECT_EQ(log_, "");
  (void)cudaGetLastError();
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorLaunchFailure);
  void* data = nullptr;
  EXPECT_EQ(cudaMalloc(&data, 1), cudaErrorLaunchFailure);
}

TEST_F(EmulatedRuntime, DestroyedAndForeignHandlesAreRefused) {
  cudaStream_t stream = a_.get();
  cudaEvent_t event = event_.get();
  a_ = nullptr;
  event_ = nullptr;
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventRecord(event, b_.get()), cudaErrorInvalidResourceHandle);
  EXPECT_THROW(enqueue(stream, [] {}), Error);
  std::thread([&] {  // a thread starts with device 0; on another one the stream is not usable
    EXPECT_NO_THROW(enqueue(b_.get(), [] {}));
    EXPECT_EQ(cudaSetDevice(1), cudaSuccess);
    EXPECT_THROW(enqueue(b_.get(), [] {}), Error);
  })
      .join();
  (void)cudaGetLastError();
}

}  // namespace
}  // namespace stepmark::emulation
