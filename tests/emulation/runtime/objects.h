// SPDX-License-Identifier: Apache-2.0
// The objects behind the handles of the CUDA runtime. The names of the structures are those that
// driver_types.h declares, so a handle is a plain pointer to one. Objects outlive their destruction
// by the user, so that use after it can be told.
#pragma once

#include <driver_types.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace stepmark::emulation {

// One call of a step of a stream or graph: it finished, did some of its work, or could do none now.
enum class Progress : std::uint8_t { done, some, none };
using Step = std::function<Progress()>;

// One record of an event.
struct Record {
  std::atomic<bool> reached{false};
  std::atomic<std::int64_t> time_ns{-1};
};

struct Node {
  std::function<Step()> make;  // the step of one launch
  std::vector<std::size_t> waits_for;
};

struct Capture {
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;
  CUstream_st* origin = nullptr;
  CUgraph_st* graph = nullptr;
  std::vector<CUstream_st*> streams;  // the origin and those that joined
  bool invalid = false;
};

}  // namespace stepmark::emulation

struct CUstream_st {
  bool alive = true;
  int device = 0;
  unsigned flags = 0;
  int priority = 0;
  std::deque<stepmark::emulation::Step> queue;
  std::uint64_t enqueued = 0;
  std::atomic<std::uint64_t> done{0};
  std::shared_ptr<stepmark::emulation::Capture> capture;
  std::vector<std::size_t> last;  // nodes of the graph that the next one follows
};

struct CUevent_st {
  bool alive = true;
  int device = 0;
  unsigned flags = 0;
  std::shared_ptr<stepmark::emulation::Record> record;  // null: never, or in a capture
  // Of a record in a capture: what it stands for there.
  std::shared_ptr<stepmark::emulation::Capture> capture;
  std::vector<std::size_t> nodes;
};

struct CUgraph_st {
  bool alive = true;
  std::vector<stepmark::emulation::Node> nodes;
};

struct CUgraphExec_st {
  bool alive = true;
  int device = 0;
  unsigned long long flags = 0;
  std::shared_ptr<const std::vector<stepmark::emulation::Node>> nodes;
  // Launches of one executable graph do not overlap.
  std::shared_ptr<stepmark::emulation::Record> last_launch;
};

struct CUmemPoolHandle_st {
  int device = 0;
  bool alive = true;
};
