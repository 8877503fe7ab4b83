// SPDX-License-Identifier: Apache-2.0
// Launches a program on the streams of a GPU: enqueues one step, in the program's order, with an
// event wherever an op waits for another stream's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/cuda/handles.h"
#include "harness/exec/arena.h"
#include "harness/exec/cuda/cuda_device.h"
#include "harness/exec/executor.h"
#include "kernels/cuda/engine_note.h"
#include "kernels/cuda/kernel_context.h"

namespace stepmark {

// Begin and end of each op on the GPU.
class CudaTrace {
 public:
  // captured: the events are nodes of a graph, recorded anew in each of its launches.
  CudaTrace(std::size_t ops, bool captured);
  [[nodiscard]] cudaEvent_t begin(std::int32_t op) const;
  [[nodiscard]] cudaEvent_t end(std::int32_t op) const;
  void record_begin(std::int32_t op, cudaStream_t stream) const { record(begin(op), stream); }
  void record_end(std::int32_t op, cudaStream_t stream) const { record(end(op), stream); }

 private:
  void record(cudaEvent_t event, cudaStream_t stream) const;

  unsigned flags_;
  std::vector<cuda::EventOwner> begins_, ends_;
};

class CudaStreamLauncher {
 public:
  // `bound` and `comms` must outlive this object.
  CudaStreamLauncher(CudaDevice& device, const BoundProgram& bound, CommSet& comms);
  // Only a failure leaves work in flight.
  ~CudaStreamLauncher() { settle(); }
  CudaStreamLauncher(const CudaStreamLauncher&) = delete;
  CudaStreamLauncher& operator=(const CudaStreamLauncher&) = delete;

  // What stands for an op.
  enum class Bodies : std::uint8_t {
    ops,     // itself
    none,    // nothing
    markers  // a memset of one byte that nobody reads
  };
  // All streams begin after what is on the origin and end before what comes there next. Fails with
  // the op's place; what was enqueued until then runs.
  void enqueue(Bodies bodies, const CudaTrace* trace = nullptr);

  [[nodiscard]] cudaStream_t origin() const { return streams_.front(); }
  // Of an op of the program, as it was prepared.
  [[nodiscard]] OpEngine engine_of(std::int32_t op) const;
  // Times of a traced step whose first event is `step_begin`; all events were reached.
  [[nodiscard]] std::vector<Span> spans(const CudaTrace& trace, cudaEvent_t step_begin) const;
  // After a failure: gives what is still on the streams a second to end.
  void settle() const noexcept;

 private:
  struct BoundOp {
    Task body;
    cuda::EngineNote engine;
    std::size_t stream = 0;
    std::vector<cudaEvent_t> waits;
    cuda::EventOwner done;  // null: no other stream waits for this op
  };
  [[nodiscard]] Task body_of(const Op& op, const BoundProgram& bound, CommSet& comms);
  void enqueue_op(std::int32_t index, Bodies bodies, const CudaTrace* trace);

  const Program& program_;
  // In this order: bodies use contexts, and all that is enqueued goes through the streams.
  std::vector<std::unique_ptr<Stream>> owned_streams_;
  std::vector<cudaStream_t> streams_;  // of the program; at least one
  Memory markers_;
  std::vector<std::unique_ptr<cuda::KernelContext>> contexts_;  // per stream
  std::vector<BoundOp> ops_;
  std::vector<std::size_t> branches_;  // streams with ops, other than the origin
  cuda::EventOwner fork_;
  std::vector<cuda::EventOwner> joins_;  // per branch
};

}  // namespace stepmark
