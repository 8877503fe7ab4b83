// SPDX-License-Identifier: Apache-2.0
// State of the emulated CUDA runtime, and the one way in: api() holds the lock, reports a broken
// device and keeps the last error. Steps of streams run without the lock, on the thread that waits,
// one at a time, in a random order that keeps only what CUDA promises.
#pragma once

#include <cuda_runtime_api.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/emulation/runtime/objects.h"

namespace stepmark::emulation {

using Lock = std::unique_lock<std::mutex>;

struct Runtime {
  std::mutex mutex;
  std::condition_variable step_ended;
  bool executing = false;  // a thread runs a step
  std::mt19937_64 random;
  CUstream_st* favourite = nullptr;  // goes on as long as it can, for a while
  cudaError_t broken = cudaSuccess;  // every later call returns it
  std::string failure;
  int waits_until_ignored = 0;
  std::size_t memset_bytes = 0;  // asked of cudaMemsetAsync
  std::vector<std::unique_ptr<CUstream_st>> streams, graveyard;
  std::vector<std::unique_ptr<CUevent_st>> events;
  std::vector<std::unique_ptr<CUgraph_st>> graphs;
  std::vector<std::unique_ptr<CUgraphExec_st>> graph_execs;
  std::vector<std::shared_ptr<Capture>> captures;  // that have not ended

  Runtime();
};

[[nodiscard]] Runtime& runtime();
[[nodiscard]] cudaError_t& last_error();  // of the calling thread
[[nodiscard]] int& current_device();      // of the calling thread
[[nodiscard]] int device_count();
[[nodiscard]] std::int64_t now_ns();

inline cudaError_t keep(cudaError_t status) {
  if (status != cudaSuccess) last_error() = status;
  return status;
}

template <class Body>
cudaError_t api(Body body) {
  Lock lock(runtime().mutex);
  if (runtime().broken != cudaSuccess) return keep(runtime().broken);
  return keep(body(lock));
}

// The stream behind a handle; null when there is none or it was destroyed. Handles 0 and
// cudaStreamLegacy are the current device's legacy stream.
[[nodiscard]] CUstream_st* stream_of(cudaStream_t handle);
[[nodiscard]] bool is_legacy(const CUstream_st& stream);

// Appends a node: to the stream's queue, or to the graph under capture.
[[nodiscard]] cudaError_t append(CUstream_st& stream, std::function<Step()> make);
[[nodiscard]] cudaError_t append_work(CUstream_st& stream, std::function<void()> work);
// To the queue alone.
void push(CUstream_st& stream, Step step);

// Runs steps until `reached`; any thread. Returns the error of a device that breaks meanwhile.
[[nodiscard]] cudaError_t run_until(Lock& lock, const std::function<bool()>& reached);
[[nodiscard]] cudaError_t drain(Lock& lock, CUstream_st& stream);
[[nodiscard]] cudaError_t drain_device(Lock& lock, int device);
// What a GPU might have got done since the last look: a few steps.
[[nodiscard]] cudaError_t advance(Lock& lock);
void break_device(cudaError_t status, const std::string& why);

// A call that CUDA forbids while the thread captures (or, in global mode, while any does): spoils
// those captures and returns the error, else success.
[[nodiscard]] cudaError_t check_no_capture();
[[nodiscard]] cudaStreamCaptureMode& capture_mode_of_thread();
// A synchronous call on the legacy stream.
[[nodiscard]] cudaError_t check_legacy_use();

// Memory (memory.cpp). Whether all of [data, data + bytes) lies in one block of device memory, or
// of pinned host memory.
[[nodiscard]] bool is_device_range(const void* data, std::size_t bytes);
[[nodiscard]] bool is_pinned_range(const void* data, std::size_t bytes);

}  // namespace stepmark::emulation
