// SPDX-License-Identifier: Apache-2.0
// Capture by thread, so that other threads may call CUDA meanwhile; node priorities follow the
// streams'. The graph is uploaded at once: the first launch shall cost what later ones do. A failed
// capture must be ended, or the stream stays unusable.
#include "harness/exec/cuda/cuda_graph.h"

#include "core/cuda/check.h"

namespace stepmark {
namespace {

void abandon_capture(cudaStream_t origin) {
  cudaGraph_t graph = nullptr;
  (void)cudaStreamEndCapture(origin, &graph);  // fails by design where work was left unjoined
  const cuda::GraphOwner owner(graph);
  (void)cudaGetLastError();
}

}  // namespace

cuda::GraphExecOwner capture_graph(cudaStream_t origin, const std::function<void()>& enqueue) {
  STEPMARK_CUDA_CHECK(cudaStreamBeginCapture(origin, cudaStreamCaptureModeThreadLocal));
  try {
    enqueue();
  } catch (...) {
    abandon_capture(origin);
    throw;
  }
  cudaGraph_t graph = nullptr;
  STEPMARK_CUDA_CHECK(cudaStreamEndCapture(origin, &graph));
  const cuda::GraphOwner owner(graph);
  cudaGraphExec_t exec = nullptr;
  STEPMARK_CUDA_CHECK(cudaGraphInstantiate(&exec, graph, cudaGraphInstantiateFlagUseNodePriority));
  cuda::GraphExecOwner ready(exec);
  STEPMARK_CUDA_CHECK(cudaGraphUpload(exec, origin));
  return ready;
}

}  // namespace stepmark
