// SPDX-License-Identifier: Apache-2.0
// Stream capture and graphs of the emulated CUDA runtime. A launch runs a graph's nodes in a random
// order that keeps the graph's edges and nothing else, whatever stream they were captured from.
#include <algorithm>

#include "tests/emulation/runtime/runtime.h"

namespace stepmark::emulation {

cudaStreamCaptureMode& capture_mode_of_thread() {
  thread_local cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  return mode;
}

// The rules of cudaThreadExchangeStreamCaptureMode.
cudaError_t check_no_capture() {
  const cudaStreamCaptureMode thread_mode = capture_mode_of_thread();
  if (thread_mode == cudaStreamCaptureModeRelaxed) return cudaSuccess;
  cudaError_t status = cudaSuccess;
  for (const auto& capture : runtime().captures) {
    const bool own = capture->thread == std::this_thread::get_id() &&
                     capture->mode != cudaStreamCaptureModeRelaxed;
    const bool of_others =
        capture->mode == cudaStreamCaptureModeGlobal && thread_mode == cudaStreamCaptureModeGlobal;
    if (own || of_others) {
      capture->invalid = true;
      status = cudaErrorStreamCaptureUnsupported;
    }
  }
  return status;
}

namespace {

// One launch under way.
class GraphRun {
 public:
  explicit GraphRun(std::shared_ptr<const std::vector<Node>> nodes, std::uint64_t seed)
      : nodes_(std::move(nodes)),
        steps_(nodes_->size()),
        missing_(nodes_->size()),
        followers_(nodes_->size()),
        random_(seed) {
    for (std::size_t i = 0; i < nodes_->size(); ++i) {
      steps_[i] = (*nodes_)[i].make();
      missing_[i] = (*nodes_)[i].waits_for.size();
      for (const std::size_t other : (*nodes_)[i].waits_for) followers_[other].push_back(i);
      if (missing_[i] == 0) ready_.push_back(i);
    }
  }

  // Mostly follows the chain it is on, as a favourite stream does.
  Progress advance() {
    if (ready_.empty()) return Progress::done;
    const std::size_t first = random_() % 8 != 0 ? ready_.size() - 1 : random_() % ready_.size();
    for (std::size_t tried = 0; tried < ready_.size(); ++tried) {
      const std::size_t at = (first + tried) % ready_.size();
      const std::size_t node = ready_[at];
      const Progress progress = steps_[node]();
      if (progress == Progress::none) continue;
      if (progress == Progress::some) return Progress::some;
      steps_[node] = nullptr;
      ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(at));
      for (const std::size_t follower : followers_[node]) {
        if (--missing_[follower] == 0) ready_.push_back(follower);
      }
      return ready_.empty() ? Progress::done : Progress::some;
    }
    return Progress::none;
  }

 private:
  std::shared_ptr<const std::vector<Node>> nodes_;
  std::vector<Step> steps_;
  std::vector<std::size_t> missing_;
  std::vector<std::vector<std::size_t>> followers_;
  std::vector<std::size_t> ready_;
  std::mt19937_64 random_;
};

template <class T>
T* alive(T* handle) {
  return handle != nullptr && handle->alive ? handle : nullptr;
}

// Whether all work of the capture leads to where its origin is now.
bool all_joined(const Capture& capture) {
  const std::vector<Node>& nodes = capture.graph->nodes;
  std::vector<bool> seen(nodes.size(), false);
  std::vector<std::size_t> open = capture.origin->last;
  while (!open.empty()) {
    const std::size_t node = open.back();
    open.pop_back();
    if (seen[node]) continue;
    seen[node] = true;
    open.insert(open.end(), nodes[node].waits_for.begin(), nodes[node].waits_for.end());
  }
  return std::all_of(capture.streams.begin(), capture.streams.end(), [&](const CUstream_st* s) {
    return std::all_of(s->last.begin(), s->last.end(), [&](std::size_t n) { return seen[n]; });
  });
}

void end(const std::shared_ptr<Capture>& capture) {
  for (CUstream_st* stream : capture->streams) {
    stream->capture = nullptr;
    stream->last.clear();
  }
  std::erase(runtime().captures, capture);
}

}  // namespace
}  // namespace stepmark::emulation

using namespace stepmark::emulation;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return api([&](Lock&) {
    CUstream_st* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (is_legacy(*stream)) return cudaErrorStreamCaptureUnsupported;
    if (stream->capture) return cudaErrorIllegalState;
    auto capture = std::make_shared<Capture>();
    capture->mode = mode;
    capture->thread = std::this_thread::get_id();
    capture->origin = stream;
    capture->streams = {stream};
    capture->graph = runtime().graphs.emplace_back(std::make_unique<CUgraph_st>()).get();
    stream->last.clear();
    stream->capture = capture;
    runtime().captures.push_back(std::move(capture));
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return api([&](Lock&) {
    *graph = nullptr;
    const CUstream_st* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    const std::shared_ptr<Capture> capture = stream->capture;
    if (!capture) return cudaErrorIllegalState;
    if (capture->origin != stream) {
      capture->invalid = true;
      return cudaErrorStreamCaptureUnmatched;
    }
    if (capture->mode != cudaStreamCaptureModeRelaxed &&
        capture->thread != std::this_thread::get_id()) {
      capture->invalid = true;
      return cudaErrorStreamCaptureWrongThread;
    }
    const bool joined = all_joined(*capture);
    end(capture);
    if (capture->invalid || !joined) {
      capture->graph->alive = false;
      return capture->invalid ? cudaErrorStreamCaptureInvalidated : cudaErrorStreamCaptureUnjoined;
    }
    *graph = capture->graph;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamGetCaptureInfo(cudaStream_t handle, cudaStreamCaptureStatus* status,
                                     unsigned long long* id, cudaGraph_t* graph,
                                     const cudaGraphNode_t** dependencies,
                                     const cudaGraphEdgeData** edges, size_t* count) {
  return api([&](Lock&) {
    const CUstream_st* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    // Nodes have no handles here.
    if (dependencies != nullptr || edges != nullptr || count != nullptr) {
      return cudaErrorNotSupported;
    }
    *status = !stream->capture           ? cudaStreamCaptureStatusNone
              : stream->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                         : cudaStreamCaptureStatusActive;
    if (!stream->capture) return cudaSuccess;
    if (id != nullptr) {
      const auto& graphs = runtime().graphs;
      const auto at = std::find_if(graphs.begin(), graphs.end(), [&](const auto& g) {
        return g.get() == stream->capture->graph;
      });
      *id = static_cast<unsigned long long>(at - graphs.begin()) + 1;
    }
    if (graph != nullptr) *graph = stream->capture->graph;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return cudaStreamGetCaptureInfo(stream, status, nullptr, nullptr, nullptr, nullptr, nullptr);
}

cudaError_t cudaGraphGetNodes(cudaGraph_t handle, cudaGraphNode_t* nodes, size_t* count) {
  return api([&](Lock&) {
    const CUgraph_st* graph = alive(handle);
    if (graph == nullptr) return cudaErrorInvalidValue;
    if (nodes != nullptr) return cudaErrorNotSupported;
    *count = graph->nodes.size();
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t handle,
                                 unsigned long long flags) {
  return api([&](Lock&) {
    const CUgraph_st* graph = alive(handle);
    if (graph == nullptr) return cudaErrorInvalidValue;
    auto made = std::make_unique<CUgraphExec_st>();
    made->device = current_device();
    made->flags = flags;
    made->nodes = std::make_shared<const std::vector<Node>>(graph->nodes);
    *exec = runtime().graph_execs.emplace_back(std::move(made)).get();
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecGetFlags(cudaGraphExec_t exec, unsigned long long* flags) {
  return api([&](Lock&) {
    if (alive(exec) == nullptr) return cudaErrorInvalidValue;
    *flags = exec->flags;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream) {
  return api([&](Lock&) {
    if (alive(exec) == nullptr) return cudaErrorInvalidValue;
    return stream_of(stream) == nullptr ? cudaErrorInvalidResourceHandle : cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t handle, cudaStream_t stream_handle) {
  return api([&](Lock&) {
    CUgraphExec_st* exec = alive(handle);
    CUstream_st* stream = stream_of(stream_handle);
    if (exec == nullptr) return cudaErrorInvalidValue;
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture) return cudaErrorNotSupported;  // child graphs
    auto ended = std::make_shared<Record>();
    auto run = std::make_shared<GraphRun>(exec->nodes, runtime().random());
    const auto previous = std::exchange(exec->last_launch, ended);
    return append(*stream, [=]() -> Step {
      return [=] {
        if (previous && !previous->reached) return Progress::none;
        const Progress progress = run->advance();
        if (progress == Progress::done) ended->reached = true;
        return progress;
      };
    });
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t handle) {
  return api([&](Lock&) {
    CUgraph_st* graph = alive(handle);
    if (graph == nullptr) return cudaErrorInvalidValue;
    graph->alive = false;
    graph->nodes.clear();
    return cudaSuccess;
  });
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t handle) {
  return api([&](Lock&) {
    CUgraphExec_st* exec = alive(handle);
    if (exec == nullptr) return cudaErrorInvalidValue;
    exec->alive = false;
    exec->nodes = nullptr;
    return cudaSuccess;
  });
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  std::swap(capture_mode_of_thread(), *mode);
  return cudaSuccess;
}

}  // extern "C"
