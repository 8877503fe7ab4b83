// SPDX-License-Identifier: Apache-2.0
// Sends and receives, and the verbs that are groups of them or calls that only newer libraries
// have.
#include <algorithm>
#include <utility>

#include "collectives/nccl/native_stream.h"
#include "collectives/nccl/nccl_comm.h"
#include "core/error.h"

namespace stepmark {
namespace {

const void* at(const void* base, std::size_t element, DType dtype) {
  return static_cast<const std::byte*>(base) + element * size_of(dtype);
}
void* at(void* base, std::size_t element, DType dtype) {
  return static_cast<std::byte*>(base) + element * size_of(dtype);
}
std::size_t chunk(int rank, std::size_t count) { return static_cast<std::size_t>(rank) * count; }

void check_apart(const void* send, const void* recv, std::size_t count) {
  STEPMARK_REQUIRE(send != recv || count == 0, "this collective does not work in place");
}

void* only_read(const void* data) { return const_cast<void*>(data); }

}  // namespace

ncclResult_t NcclComm::issue(const NcclHandle& handle, const Message& m, cudaStream_t stream) {
  const NcclFunctions& f = handle.functions();
  return m.outgoing ? f.ncclSend(m.data, m.count, m.type, m.peer, handle.get(), stream)
                    : f.ncclRecv(m.data, m.count, m.type, m.peer, handle.get(), stream);
}

void NcclComm::submit_group(std::vector<Message> messages, Stream& stream) const {
  // Nothing is a message too few on neither side: counts of both ends agree.
  std::erase_if(messages, [](const Message& m) { return m.count == 0; });
  stream.submit([h = handle_.get(), messages = std::move(messages), on = native_stream(stream)] {
    const NcclFunctions& f = h->functions();
    h->check(f.ncclGroupStart(), "ncclGroupStart");
    ncclResult_t first = ncclSuccess;
    for (const Message& m : messages) {
      const ncclResult_t result = issue(*h, m, on);
      if (first == ncclSuccess) first = result;
    }
    // Ended in any case: an open group would swallow every later call of this thread.
    const ncclResult_t ended = f.ncclGroupEnd();
    h->check(first, "ncclSend or ncclRecv");
    h->check(ended, "ncclGroupEnd");
  });
}

void NcclComm::enqueue(const Message& message, Stream& stream) {
  if (group_.is_open()) return group_.add(message);
  stream.submit([h = handle_.get(), message, on = native_stream(stream)] {
    if (message.count == 0) return;
    h->check(issue(*h, message, on), message.outgoing ? "ncclSend" : "ncclRecv");
  });
}

void NcclComm::send(const void* data, std::size_t count, DType dtype, int peer, Stream& stream) {
  check_peer(peer, "peer");
  enqueue({only_read(data), count, nccl_type(dtype), peer, true}, stream);
}

void NcclComm::recv(void* data, std::size_t count, DType dtype, int peer, Stream& stream) {
  check_peer(peer, "peer");
  enqueue({data, count, nccl_type(dtype), peer, false}, stream);
}

void NcclComm::group_begin() { group_.begin(); }
void NcclComm::group_end(Stream& stream) { submit_group(group_.end(), stream); }

void NcclComm::all_to_all(const void* send, void* recv, std::size_t count, DType dtype,
                          Stream& stream) {
  check_apart(send, recv, count);
  const ncclDataType_t type = nccl_type(dtype);
  if (const auto call = handle_->functions().ncclAlltoAll) {
    stream.submit([=, h = handle_.get(), on = native_stream(stream)] {
      h->check(call(send, recv, count, type, h->get(), on), "ncclAlltoAll");
    });
    return;
  }
  std::vector<Message> messages;
  for (int peer = 0; peer < size(); ++peer) {
    messages.push_back({only_read(at(send, chunk(peer, count), dtype)), count, type, peer, true});
    messages.push_back({at(recv, chunk(peer, count), dtype), count, type, peer, false});
  }
  submit_group(std::move(messages), stream);
}

void NcclComm::all_to_all_v(const void* send, std::span<const std::size_t> send_counts,
                            std::span<const std::size_t> send_displs, void* recv,
                            std::span<const std::size_t> recv_counts,
                            std::span<const std::size_t> recv_displs, DType dtype, Stream& stream) {
  std::size_t most = 0;
  for (const auto values : {send_counts, send_displs, recv_counts, recv_displs}) {
    STEPMARK_REQUIRE(values.size() == static_cast<std::size_t>(size()),
                     "all_to_all_v: {} counts or displacements for {} ranks", values.size(),
                     size());
    for (const std::size_t v : values) most = std::max(most, v);
  }
  check_apart(send, recv, most);
  const ncclDataType_t type = nccl_type(dtype);
  std::vector<Message> messages;
  for (std::size_t r = 0; r < send_counts.size(); ++r) {
    const int peer = static_cast<int>(r);
    messages.push_back(
        {only_read(at(send, send_displs[r], dtype)), send_counts[r], type, peer, true});
    messages.push_back({at(recv, recv_displs[r], dtype), recv_counts[r], type, peer, false});
  }
  submit_group(std::move(messages), stream);
}

void NcclComm::gather(const void* send, void* recv, std::size_t count, DType dtype, int root,
                      Stream& stream) {
  check_peer(root, "root");
  const ncclDataType_t type = nccl_type(dtype);
  if (const auto call = handle_->functions().ncclGather) {
    stream.submit([=, h = handle_.get(), on = native_stream(stream)] {
      h->check(call(send, recv, count, type, root, h->get(), on), "ncclGather");
    });
    return;
  }
  std::vector<Message> messages;
  const bool own_in_place = rank() == root && send == at(recv, chunk(root, count), dtype);
  if (!own_in_place) messages.push_back({only_read(send), count, type, root, true});
  for (int peer = 0; rank() == root && peer < size(); ++peer) {
    if (own_in_place && peer == root) continue;
    messages.push_back({at(recv, chunk(peer, count), dtype), count, type, peer, false});
  }
  submit_group(std::move(messages), stream);
}

void NcclComm::scatter(const void* send, void* recv, std::size_t count, DType dtype, int root,
                       Stream& stream) {
  check_peer(root, "root");
  const ncclDataType_t type = nccl_type(dtype);
  if (const auto call = handle_->functions().ncclScatter) {
    stream.submit([=, h = handle_.get(), on = native_stream(stream)] {
      h->check(call(send, recv, count, type, root, h->get(), on), "ncclScatter");
    });
    return;
  }
  std::vector<Message> messages;
  const bool own_in_place = rank() == root && recv == at(send, chunk(root, count), dtype);
  if (!own_in_place) messages.push_back({recv, count, type, root, false});
  for (int peer = 0; rank() == root && peer < size(); ++peer) {
    if (own_in_place && peer == root) continue;
    messages.push_back({only_read(at(send, chunk(peer, count), dtype)), count, type, peer, true});
  }
  submit_group(std::move(messages), stream);
}

}  // namespace stepmark
