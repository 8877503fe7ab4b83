// SPDX-License-Identifier: Apache-2.0
// In which order the work of all streams runs: any that streams, events and the legacy stream
// allow. A stream that is a favourite runs far ahead of the others, so that a dependency that is
// missing in the program shows as a wrong result instead of working by luck.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "tests/emulation/runtime/emulation.h"
#include "tests/emulation/runtime/runtime.h"

namespace stepmark::emulation {
namespace {

constexpr std::uint64_t kFavouriteChange = 16;  // one step in so many
constexpr std::uint64_t kMostStepsPerQuery = 4;
constexpr std::chrono::microseconds kPollPause{50};

std::uint64_t environment_seed() {
  const char* text = std::getenv("STEPMARK_EMULATED_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
}

// Streams with work, the favourite first, the rest in random order.
std::vector<CUstream_st*> candidates(Runtime& r) {
  std::vector<CUstream_st*> ready;
  for (const auto& stream : r.streams) {
    if (!stream->queue.empty()) ready.push_back(stream.get());
  }
  std::shuffle(ready.begin(), ready.end(), r.random);
  if (ready.empty()) return ready;
  const auto favourite = std::find(ready.begin(), ready.end(), r.favourite);
  if (favourite == ready.end() || r.random() % kFavouriteChange == 0) {
    r.favourite = ready.front();
  } else {
    std::iter_swap(ready.begin(), favourite);
  }
  return ready;
}

Progress call(const Step& step) {
  try {
    return step();
  } catch (const std::exception& error) {
    break_device(cudaErrorLaunchFailure, error.what());
  } catch (...) {
    break_device(cudaErrorLaunchFailure, "an exception of unknown type");
  }
  return Progress::done;
}

// One step of one stream; false when no stream could get on. Needs !executing.
bool run_step(Lock& lock) {
  Runtime& r = runtime();
  r.executing = true;
  bool moved = false;
  for (CUstream_st* stream : candidates(r)) {
    Step& step = stream->queue.front();  // push_back by other threads leaves it where it is
    lock.unlock();
    const Progress progress = call(step);
    Step finished;
    if (progress == Progress::done) finished = std::move(step);
    finished = nullptr;
    lock.lock();
    if (r.broken != cudaSuccess) {
      for (const auto& each : r.streams) {
        each->done += each->queue.size();
        each->queue.clear();
      }
      moved = true;
      break;
    }
    if (progress == Progress::done) {
      stream->queue.pop_front();
      ++stream->done;
    }
    moved = progress != Progress::none;
    if (moved) break;
  }
  r.executing = false;
  r.step_ended.notify_all();
  return moved;
}

}  // namespace

Runtime::Runtime() : random(environment_seed()) {}

void break_device(cudaError_t status, const std::string& why) {
  Runtime& r = runtime();
  std::fprintf(stderr, "emulated GPU: %s\n", why.c_str());
  r.failure = why;
  r.broken = status;
}

void push(CUstream_st& stream, Step step) {
  stream.queue.push_back(std::move(step));
  ++stream.enqueued;
}

cudaError_t run_until(Lock& lock, const std::function<bool()>& reached) {
  Runtime& r = runtime();
  while (!reached()) {
    if (r.broken != cudaSuccess) return r.broken;
    if (r.executing) {
      r.step_ended.wait_for(lock, kPollPause);
      continue;
    }
    if (!run_step(lock)) r.step_ended.wait_for(lock, kPollPause);
  }
  return r.broken;
}

cudaError_t drain(Lock& lock, CUstream_st& stream) {
  const std::uint64_t target = stream.enqueued;
  return run_until(lock, [&] { return stream.done >= target; });
}

cudaError_t drain_device(Lock& lock, int device) {
  std::vector<std::pair<CUstream_st*, std::uint64_t>> targets;
  for (const auto& stream : runtime().streams) {
    if (stream->device == device) targets.emplace_back(stream.get(), stream->enqueued);
  }
  return run_until(lock, [&] {
    return std::all_of(targets.begin(), targets.end(),
                       [](const auto& target) { return target.first->done >= target.second; });
  });
}

cudaError_t advance(Lock& lock) {
  Runtime& r = runtime();
  if (r.executing) return r.broken;
  for (std::uint64_t steps = r.random() % kMostStepsPerQuery + 1; steps > 0; --steps) {
    if (r.broken != cudaSuccess || r.executing || !run_step(lock)) break;
  }
  return r.broken;
}

void ignore_wait(int n) {
  const Lock lock(runtime().mutex);
  runtime().waits_until_ignored = n;
}

std::size_t memset_bytes() {
  const Lock lock(runtime().mutex);
  return runtime().memset_bytes;
}

void seed(std::uint64_t value) {
  const Lock lock(runtime().mutex);
  runtime().random.seed(value);
}

std::string failure() {
  const Lock lock(runtime().mutex);
  return runtime().failure;
}

void reset() {
  Runtime& r = runtime();
  Lock lock(r.mutex);
  r.step_ended.wait(lock, [&] { return !r.executing; });
  for (const auto& stream : r.streams) {
    stream->done += stream->queue.size();
    stream->queue.clear();
    stream->capture = nullptr;
  }
  r.captures.clear();
  r.broken = cudaSuccess;
  r.failure.clear();
  r.waits_until_ignored = 0;
  last_error() = cudaSuccess;
}

}  // namespace stepmark::emulation
