// SPDX-License-Identifier: Apache-2.0
// What is enqueued on a stream, and on streams that wait for it and that it waits for in the end,
// as one graph.
#pragma once

#include <functional>

#include "core/cuda/handles.h"

namespace stepmark {

// Calls `enqueue`, of which nothing runs, and makes what it enqueued ready to launch. Work keeps
// the priority of the stream that it was enqueued on, whatever stream the graph is launched on. The
// capture
// concerns the calling thread alone (thread-local mode): other threads may go on using CUDA, and a
// library may allocate memory for connections from threads of its own meanwhile. What `enqueue`
// throws is passed on, with all streams out of capture again.
[[nodiscard]] cuda::GraphExecOwner capture_graph(cudaStream_t origin,
                                                 const std::function<void()>& enqueue);

}  // namespace stepmark
