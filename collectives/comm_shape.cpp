// SPDX-License-Identifier: Apache-2.0
// The one place where a plain value becomes a call of Comm. A send and a receive go out as one
// group: two ranks that send to each other one after the other would wait forever.
#include "collectives/comm_shape.h"

#include <numeric>

namespace stepmark {
namespace {

std::vector<std::size_t> sizes(const std::vector<std::int64_t>& counts) {
  return {counts.begin(), counts.end()};
}

// Displacements of parts that lie one after the other.
std::vector<std::size_t> displacements(const std::vector<std::int64_t>& counts) {
  std::vector<std::size_t> out(counts.size());
  std::exclusive_scan(counts.begin(), counts.end(), out.begin(), std::size_t{0});
  return out;
}

void issue_send_recv(const CommShape& shape, Comm& comm, const void* send, void* recv,
                     Stream& stream) {
  const auto count = static_cast<std::size_t>(shape.count);
  const bool sends = shape.send_peer >= 0;
  const bool receives = shape.recv_peer >= 0;
  // Both directions must progress together, or two ranks that send to each other would wait
  // forever.
  const bool grouped = sends && receives;
  if (grouped) comm.group_begin();
  if (sends) comm.send(send, count, shape.dtype, shape.send_peer, stream);
  if (receives) comm.recv(recv, count, shape.dtype, shape.recv_peer, stream);
  if (grouped) comm.group_end(stream);
}

}  // namespace

void issue(const CommShape& shape, Comm& comm, const void* send, void* recv, Stream& stream) {
  const auto count = static_cast<std::size_t>(shape.count);
  const DType dtype = shape.dtype;
  switch (shape.verb) {
    case Verb::all_reduce:
      return comm.all_reduce(send, recv, count, dtype, shape.op, stream);
    case Verb::all_gather:
      return comm.all_gather(send, recv, count, dtype, stream);
    case Verb::reduce_scatter:
      return comm.reduce_scatter(send, recv, count, dtype, shape.op, stream);
    case Verb::all_to_all:
      return comm.all_to_all(send, recv, count, dtype, stream);
    case Verb::all_to_all_v: {
      const auto send_counts = sizes(shape.send_counts);
      const auto send_displs = displacements(shape.send_counts);
      const auto recv_counts = sizes(shape.recv_counts);
      const auto recv_displs = displacements(shape.recv_counts);
      return comm.all_to_all_v(send, send_counts, send_displs, recv, recv_counts, recv_displs,
                               dtype, stream);
    }
    case Verb::broadcast:
      return comm.broadcast(send, recv, count, dtype, shape.root, stream);
    case Verb::reduce:
      return comm.reduce(send, recv, count, dtype, shape.op, shape.root, stream);
    case Verb::gather:
      return comm.gather(send, recv, count, dtype, shape.root, stream);
    case Verb::scatter:
      return comm.scatter(send, recv, count, dtype, shape.root, stream);
    case Verb::send_recv:
      return issue_send_recv(shape, comm, send, recv, stream);
    case Verb::barrier:
      return comm.barrier(stream);
  }
}

}  // namespace stepmark
