// SPDX-License-Identifier: Apache-2.0
// Streams fork from the first one by an event and join it at the end, which is what stream capture
// wants. Spans come from two events per op; those of one stream are pushed apart where the clock's
// resolution makes them overlap.
#include "harness/exec/cuda/cuda_stream_launcher.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "core/cuda/check.h"
#include "harness/exec/cuda/nvtx_range.h"
#include "harness/exec/failure.h"
#include "harness/exec/recording_stream.h"
#include "harness/exec/schedule.h"
#include "kernels/cuda/cuda_kernels.h"

namespace stepmark {
namespace {

constexpr double kSettleSeconds = 1;

void record(cudaEvent_t event, cudaStream_t stream) {
  STEPMARK_CUDA_CHECK(cudaEventRecord(event, stream));
}
void wait_for(cudaEvent_t event, cudaStream_t stream) {
  STEPMARK_CUDA_CHECK(cudaStreamWaitEvent(stream, event, 0));
}

}  // namespace

CudaTrace::CudaTrace(std::size_t ops, bool captured)
    : flags_(captured ? cudaEventRecordExternal : cudaEventRecordDefault) {
  for (std::size_t i = 0; i < ops; ++i) {
    begins_.push_back(cuda::make_timing_event());
    ends_.push_back(cuda::make_timing_event());
  }
}
cudaEvent_t CudaTrace::begin(std::int32_t op) const {
  return begins_[static_cast<std::size_t>(op)].get();
}
cudaEvent_t CudaTrace::end(std::int32_t op) const {
  return ends_[static_cast<std::size_t>(op)].get();
}
void CudaTrace::record(cudaEvent_t event, cudaStream_t stream) const {
  STEPMARK_CUDA_CHECK(cudaEventRecordWithFlags(event, stream, flags_));
}

CudaStreamLauncher::CudaStreamLauncher(CudaDevice& device, const BoundProgram& bound,
                                       CommSet& comms)
    : program_(bound.program()), ops_(program_.ops.size()), fork_(cuda::make_order_event()) {
  std::vector<std::string> names = program_.streams;
  if (names.empty()) names.emplace_back("compute");
  for (const std::string& name : names) {
    owned_streams_.push_back(device.create_stream(name));
    streams_.push_back(static_cast<cudaStream_t>(owned_streams_.back()->native()));
    contexts_.push_back(std::make_unique<cuda::KernelContext>());
  }
  markers_ = device.allocate(streams_.size());

  const std::vector<std::vector<ScheduledOp>> schedule = schedule_of(program_);
  for (std::size_t stream = 0; stream < schedule.size(); ++stream) {
    if (stream > 0 && !schedule[stream].empty()) {
      branches_.push_back(stream);
      joins_.push_back(cuda::make_order_event());
    }
    for (const ScheduledOp& item : schedule[stream]) {
      BoundOp& op = ops_[static_cast<std::size_t>(item.op)];
      op.stream = stream;
      if (item.signals) op.done = cuda::make_order_event();
    }
  }
  for (const std::vector<ScheduledOp>& items : schedule) {
    for (const ScheduledOp& item : items) {
      BoundOp& op = ops_[static_cast<std::size_t>(item.op)];
      for (const std::int32_t dep : item.waits) {
        op.waits.push_back(ops_[static_cast<std::size_t>(dep)].done.get());
      }
    }
  }
  // In the order of the program: contexts may grow what ops share.
  for (std::int32_t i = 0; i < std::ssize(ops_); ++i) {
    try {
      const Op& op = program_.ops[static_cast<std::size_t>(i)];
      BoundOp& own = ops_[static_cast<std::size_t>(i)];
      own.body = body_of(op, bound, comms);
      // Another op of this shape may be given another engine, by where its operands lie.
      if (op.kernel) own.engine = cuda::engine_of(*op.kernel);
    } catch (...) {
      rethrow_from(place_of(program_, i), std::current_exception());
    }
  }
}

Task CudaStreamLauncher::body_of(const Op& op, const BoundProgram& bound, CommSet& comms) {
  const std::vector<void*> operands = bound.operands_of(op);
  const auto index = static_cast<std::size_t>(op.stream);
  if (op.kernel) {
    return [enqueue = cuda::prepare(*op.kernel, operands.data(), *contexts_[index]),
            stream = streams_[index]] { enqueue(stream); };
  }
  RecordingStream recording(streams_[index]);
  issue(*op.comm, comms.of(op.comm->axis), operands[0], operands[1], recording);
  return recording.take();
}

OpEngine CudaStreamLauncher::engine_of(std::int32_t op) const {
  const cuda::EngineNote& note = ops_.at(static_cast<std::size_t>(op)).engine;
  return {.name = note.engine, .refused = note.refused};
}

void CudaStreamLauncher::enqueue(Bodies bodies, const CudaTrace* trace) {
  if (!branches_.empty()) record(fork_.get(), origin());
  for (const std::size_t branch : branches_) wait_for(fork_.get(), streams_[branch]);
  for (std::int32_t i = 0; i < std::ssize(ops_); ++i) {
    try {
      enqueue_op(i, bodies, trace);
    } catch (...) {
      rethrow_from(place_of(program_, i), std::current_exception());
    }
  }
  for (std::size_t i = 0; i < branches_.size(); ++i) {
    record(joins_[i].get(), streams_[branches_[i]]);
    wait_for(joins_[i].get(), origin());
  }
}

void CudaStreamLauncher::enqueue_op(std::int32_t index, Bodies bodies, const CudaTrace* trace) {
  const auto at = static_cast<std::size_t>(index);
  const BoundOp& op = ops_[at];
  cudaStream_t stream = streams_[op.stream];
  const cuda::NvtxRange range(program_.ops[at].label.c_str());
  for (cudaEvent_t event : op.waits) wait_for(event, stream);
  if (trace != nullptr) trace->record_begin(index, stream);
  if (bodies == Bodies::ops) {
    op.body();
  } else if (bodies == Bodies::markers) {
    std::byte* marker = static_cast<std::byte*>(markers_.data()) + op.stream;
    STEPMARK_CUDA_CHECK(cudaMemsetAsync(marker, 0, 1, stream));
  }
  if (trace != nullptr) trace->record_end(index, stream);
  if (op.done) record(op.done.get(), stream);
}

std::vector<Span> CudaStreamLauncher::spans(const CudaTrace& trace, cudaEvent_t step_begin) const {
  std::vector<Span> spans;
  std::vector<std::int64_t> free_since_ns(streams_.size(), 0);
  for (std::int32_t i = 0; i < std::ssize(ops_); ++i) {
    const BoundOp& op = ops_[static_cast<std::size_t>(i)];
    const auto since = [&](cudaEvent_t event) {
      return static_cast<std::int64_t>(std::llround(cuda::elapsed_ns(step_begin, event)));
    };
    // The clock's steps must not make ops of one stream overlap.
    std::int64_t& free_ns = free_since_ns[op.stream];
    Span span{.op = i, .begin_ns = std::max(since(trace.begin(i)), free_ns)};
    span.end_ns = std::max(since(trace.end(i)), span.begin_ns);
    if (!op.waits.empty()) span.wait_ns = span.begin_ns - free_ns;
    free_ns = span.end_ns;
    spans.push_back(span);
  }
  return spans;
}

void CudaStreamLauncher::settle() const noexcept {
  const auto begin = std::chrono::steady_clock::now();
  for (cudaStream_t stream : streams_) {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    (void)CudaWait::briefly(stream, std::max(0.0, kSettleSeconds - spent.count()));
  }
}

}  // namespace stepmark
