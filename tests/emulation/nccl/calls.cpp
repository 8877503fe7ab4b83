// SPDX-License-Identifier: Apache-2.0
// The calls that put work on streams: arguments are checked strictly, groups are collected, and
// work goes to the emulated CUDA runtime of the program that loaded this library.
#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>
#include <variant>

#include "tests/emulation/nccl/handles.h"
#include "tests/emulation/nccl/injection.h"
#include "tests/emulation/nccl/operations.h"
#include "tests/emulation/nccl/reduction.h"
#include "tests/emulation/runtime/emulated_stream.h"

namespace stepmark::emulation {
namespace {

struct Call {
  std::shared_ptr<State> state;
  cudaStream_t stream;
  std::variant<Operation, MessageCall> what;
};

struct Group {
  int depth = 0;
  std::vector<Call> calls;
};
thread_local Group group;

ncclResult_t check(const Call& call) {
  for (const Call& other : group.calls) {
    if (other.state == call.state && other.stream != call.stream) {
      return failed(ncclInvalidUsage, "the emulation knows one stream per communicator and group");
    }
  }
  return ncclSuccess;
}

// Each launch of a captured graph calls a fresh copy of this, and so gets a job of its own.
template <class What>
void put(cudaStream_t stream, const std::shared_ptr<State>& state, const What& what) {
  enqueue_polled(stream, [state, what, job = std::shared_ptr<Job>()]() mutable {
    if (job == nullptr) job = make_job(state, what);
    return job->poll();
  });
}

// Sends and receives of a communicator become one piece of work, in place of its first.
void launch(std::vector<Call> calls) {
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Call& call = calls[i];
    if (call.state == nullptr) continue;
    if (const auto* operation = std::get_if<Operation>(&call.what)) {
      put(call.stream, call.state, *operation);
      continue;
    }
    std::vector<MessageCall> messages;
    const auto state = call.state;
    for (std::size_t j = i; j < calls.size(); ++j) {
      const auto* message = std::get_if<MessageCall>(&calls[j].what);
      if (message == nullptr || calls[j].state != state) continue;
      messages.push_back(*message);
      calls[j].state = nullptr;
    }
    put(call.stream, state, messages);
  }
}

ncclResult_t submit(Call call) {
  if (const ncclResult_t bad = check(call); bad != ncclSuccess) return bad;
  group.calls.push_back(std::move(call));
  if (group.depth == 0) launch(std::exchange(group.calls, {}));
  return ncclSuccess;
}

bool is_device(const void* data) {
  cudaPointerAttributes attributes{};
  return data != nullptr && cudaPointerGetAttributes(&attributes, data) == cudaSuccess &&
         attributes.type == cudaMemoryTypeDevice;
}

bool overlap(const void* a, std::size_t a_bytes, const void* b, std::size_t b_bytes) {
  const auto* x = static_cast<const std::byte*>(a);
  const auto* y = static_cast<const std::byte*>(b);
  return x < y + b_bytes && y < x + a_bytes;
}

// Buffers of an operation in elements on this rank, and where in one of them the other lies when
// it works in place (-1: it may not).
struct Shape {
  std::size_t send = 0;
  std::size_t recv = 0;
  std::ptrdiff_t recv_in_send = 0;
};

Shape shape_of(const State& state, const Operation& o) {
  const auto n = static_cast<std::size_t>(state.ranks());
  const auto own = static_cast<std::ptrdiff_t>(state.rank) * static_cast<std::ptrdiff_t>(o.count);
  const bool root = state.rank == o.root;
  switch (o.verb) {
    case Verb::all_gather:
      return {o.count, o.count * n, -own};
    case Verb::reduce_scatter:
      return {o.count * n, o.count, own};
    case Verb::all_to_all:
      return {o.count * n, o.count * n, -1};
    case Verb::gather:
      return {o.count, root ? o.count * n : 0, -own};
    case Verb::scatter:
      return {root ? o.count * n : 0, o.count, own};
    case Verb::broadcast:
      return {root ? o.count : 0, o.count, 0};
    case Verb::reduce:
      return {o.count, root ? o.count : 0, 0};
    default:
      return {o.count, o.count, 0};
  }
}

ncclResult_t check_buffers(const State& state, const Operation& o) {
  const Shape shape = shape_of(state, o);
  if ((shape.send > 0 && !is_device(o.send)) || (shape.recv > 0 && !is_device(o.recv))) {
    return failed(ncclInvalidArgument, "a buffer is not in device memory");
  }
  const std::size_t width = size_of(o.type);
  if (!overlap(o.send, shape.send * width, o.recv, shape.recv * width)) return ncclSuccess;
  const auto distance =
      static_cast<const std::byte*>(o.recv) - static_cast<const std::byte*>(o.send);
  const bool apart = o.verb == Verb::all_to_all;
  if (apart || distance != shape.recv_in_send * static_cast<std::ptrdiff_t>(width)) {
    return failed(ncclInvalidArgument, "send and receive buffer overlap, but not as in place");
  }
  return ncclSuccess;
}

// Of the collectives for which NCCL chooses an algorithm.
const char* logged_name(Verb verb) {
  switch (verb) {
    case Verb::all_reduce:
      return "AllReduce";
    case Verb::all_gather:
      return "AllGather";
    case Verb::reduce_scatter:
      return "ReduceScatter";
    case Verb::broadcast:
      return "Broadcast";
    case Verb::reduce:
      return "Reduce";
    default:
      return nullptr;
  }
}

// What every call checks.
ncclResult_t check_common(const std::shared_ptr<State>& state, ncclDataType_t type, int rank) {
  if (state == nullptr) return failed(ncclInvalidArgument, "no communicator");
  if (state->finalized) return failed(ncclInvalidUsage, "the communicator is finalized");
  if (size_of(type) == 0) return failed(ncclInvalidArgument, "unknown type");
  if (rank < 0 || rank >= state->ranks()) {
    return failed(ncclInvalidArgument,
                  "rank " + std::to_string(rank) + " of " + std::to_string(state->ranks()));
  }
  return state->async_error();
}

// As NCCL does (src/device/onerank.cu): averages of fp8 in a communicator of one rank are refused,
// without a word.
ncclResult_t check_one_rank(const State& state, const Operation& o) {
  const bool fp8 = o.type == ncclFloat8e4m3 || o.type == ncclFloat8e5m2;
  const bool reduces =
      o.verb == Verb::all_reduce || o.verb == Verb::reduce || o.verb == Verb::reduce_scatter;
  const bool scales = o.scaled || o.op == ncclAvg;
  return state.ranks() == 1 && fp8 && reduces && scales ? ncclInvalidArgument : ncclSuccess;
}

// Ranks connect when a communicator's first collective is called (NCCL_RUNTIME_CONNECT), which
// waits on the host for the others. Nobody notices there that one is dead: only an abort ends it.
void connect(State& state) {
  if (state.connected.exchange(true)) return;
  while (state.segment.lost_member() >= 0 && !state.aborted) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

ncclResult_t collective(Operation o, ncclComm_t comm, cudaStream_t stream) {
  auto state = state_of(comm);
  if (state != nullptr) connect(*state);
  if (const ncclResult_t bad = check_common(state, o.type, o.root); bad != ncclSuccess) return bad;
  if (o.op < 0 || o.op >= ncclNumOps) {
    const std::lock_guard lock(state->tables);
    const auto scaled = state->scaled_sums.find(o.op);
    if (scaled == state->scaled_sums.end()) return failed(ncclInvalidArgument, "unknown operator");
    if (scaled->second.first != o.type) {
      return failed(ncclInvalidArgument, "the operator was made for another type");
    }
    o.scaled = true;
    o.scale = scaled->second.second;
    o.op = ncclSum;
  }
  if (o.count == 0) return ncclSuccess;
  if (const ncclResult_t bad = check_one_rank(*state, o); bad != ncclSuccess) return bad;
  if (const ncclResult_t bad = check_buffers(*state, o); bad != ncclSuccess) return bad;
  if (state->rank == 0) {
    const char* name = logged_name(o.verb);
    const Shape shape = shape_of(*state, o);
    if (name != nullptr) log_choice(name, std::max(shape.send, shape.recv) * size_of(o.type));
  }
  return submit({std::move(state), stream, o});
}

ncclResult_t message(MessageCall m, ncclComm_t comm, cudaStream_t stream) {
  auto state = state_of(comm);
  if (state != nullptr) state->connected = true;  // with the peer, which is waited for on streams
  if (const ncclResult_t bad = check_common(state, m.type, m.peer); bad != ncclSuccess) return bad;
  if (m.count > 0 && !is_device(m.data)) {
    return failed(ncclInvalidArgument, "the buffer is not in device memory");
  }
  if (m.peer == state->rank && group.depth == 0) {
    return failed(ncclInvalidUsage, "a message to oneself outside of a group");
  }
  return submit({std::move(state), stream, m});
}

}  // namespace
}  // namespace stepmark::emulation

using namespace stepmark::emulation;  // NOLINT: the functions below are this file's purpose

extern "C" {

ncclResult_t ncclGroupStart() {
  ++group.depth;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (group.depth == 0) return failed(ncclInvalidUsage, "ncclGroupEnd without ncclGroupStart");
  if (--group.depth == 0) launch(std::exchange(group.calls, {}));
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* send, void* recv, size_t count, ncclDataType_t type,
                           ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  return collective({Verb::all_reduce, send, recv, count, type, op}, comm, stream);
}
ncclResult_t ncclAllGather(const void* send, void* recv, size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
  return collective({Verb::all_gather, send, recv, count, type, ncclSum}, comm, stream);
}
ncclResult_t ncclReduceScatter(const void* send, void* recv, size_t count, ncclDataType_t type,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  return collective({Verb::reduce_scatter, send, recv, count, type, op}, comm, stream);
}
ncclResult_t ncclBroadcast(const void* send, void* recv, size_t count, ncclDataType_t type,
                           int root, ncclComm_t comm, cudaStream_t stream) {
  return collective({.verb = Verb::broadcast,
                     .send = send,
                     .recv = recv,
                     .count = count,
                     .type = type,
                     .op = ncclSum,
                     .root = root},
                    comm, stream);
}
ncclResult_t ncclReduce(const void* send, void* recv, size_t count, ncclDataType_t type,
                        ncclRedOp_t op, int root, ncclComm_t comm, cudaStream_t stream) {
  return collective({.verb = Verb::reduce,
                     .send = send,
                     .recv = recv,
                     .count = count,
                     .type = type,
                     .op = op,
                     .root = root},
                    comm, stream);
}
ncclResult_t ncclAlltoAll(const void* send, void* recv, size_t count, ncclDataType_t type,
                          ncclComm_t comm, cudaStream_t stream) {
  return collective({Verb::all_to_all, send, recv, count, type, ncclSum}, comm, stream);
}
ncclResult_t ncclGather(const void* send, void* recv, size_t count, ncclDataType_t type, int root,
                        ncclComm_t comm, cudaStream_t stream) {
  return collective({.verb = Verb::gather,
                     .send = send,
                     .recv = recv,
                     .count = count,
                     .type = type,
                     .op = ncclSum,
                     .root = root},
                    comm, stream);
}
ncclResult_t ncclScatter(const void* send, void* recv, size_t count, ncclDataType_t type, int root,
                         ncclComm_t comm, cudaStream_t stream) {
  return collective({.verb = Verb::scatter,
                     .send = send,
                     .recv = recv,
                     .count = count,
                     .type = type,
                     .op = ncclSum,
                     .root = root},
                    comm, stream);
}
ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, cudaStream_t stream) {
  auto* bytes = static_cast<std::byte*>(const_cast<void*>(data));
  return message({bytes, count, type, peer, true}, comm, stream);
}
ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return message({static_cast<std::byte*>(data), count, type, peer, false}, comm, stream);
}

}  // extern "C"
