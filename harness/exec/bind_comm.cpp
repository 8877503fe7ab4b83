// SPDX-License-Identifier: Apache-2.0
#include "harness/exec/bind_comm.h"

#include <numeric>
#include <vector>

#include "core/error.h"

namespace stepmark {
namespace {

bool is_rooted(CollectiveKind kind) {
  return kind == CollectiveKind::broadcast || kind == CollectiveKind::reduce ||
         kind == CollectiveKind::gather || kind == CollectiveKind::scatter;
}

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

void check_shape(const CommShape& shape, const Group& group) {
  const auto ranks = static_cast<std::int32_t>(group.ranks.size());
  const std::string_view verb = name_of(shape.kind);
  STEPMARK_REQUIRE(shape.count >= 0, "{} over {}: count {} is negative", verb, shape.axis,
                   shape.count);
  if (is_rooted(shape.kind)) {
    STEPMARK_REQUIRE(shape.send_peer >= 0 && shape.send_peer < ranks,
                     "{} over {}: root {} is not in the group of {} ranks", verb, shape.axis,
                     shape.send_peer, ranks);
  }
  if (shape.kind == CollectiveKind::send_recv) {
    STEPMARK_REQUIRE(shape.send_peer < ranks && shape.recv_peer < ranks,
                     "{} over {}: peers {} and {} are not in the group of {} ranks", verb,
                     shape.axis, shape.send_peer, shape.recv_peer, ranks);
    STEPMARK_REQUIRE(shape.send_peer >= 0 || shape.recv_peer >= 0,
                     "{} over {} neither sends nor receives", verb, shape.axis);
  }
  if (shape.kind == CollectiveKind::all_to_all_v) {
    for (const auto* counts : {&shape.send_counts, &shape.recv_counts}) {
      STEPMARK_REQUIRE(std::ssize(*counts) == ranks,
                       "{} over {}: {} counts for a group of {} ranks", verb, shape.axis,
                       counts->size(), ranks);
      for (const std::int64_t count : *counts) {
        STEPMARK_REQUIRE(count >= 0, "{} over {}: count {} is negative", verb, shape.axis, count);
      }
    }
  }
}

void issue(const CommShape& shape, Comm& comm, const void* send, void* recv, Stream& stream) {
  const auto count = static_cast<std::size_t>(shape.count);
  const DType dtype = shape.dtype;
  const int root = shape.send_peer;
  switch (shape.kind) {
    case CollectiveKind::all_reduce:
      return comm.all_reduce(send, recv, count, dtype, shape.op, stream);
    case CollectiveKind::all_gather:
      return comm.all_gather(send, recv, count, dtype, stream);
    case CollectiveKind::reduce_scatter:
      return comm.reduce_scatter(send, recv, count, dtype, shape.op, stream);
    case CollectiveKind::all_to_all:
      return comm.all_to_all(send, recv, count, dtype, stream);
    case CollectiveKind::all_to_all_v: {
      const auto send_counts = sizes(shape.send_counts);
      const auto send_displs = displacements(shape.send_counts);
      const auto recv_counts = sizes(shape.recv_counts);
      const auto recv_displs = displacements(shape.recv_counts);
      return comm.all_to_all_v(send, send_counts, send_displs, recv, recv_counts, recv_displs,
                               dtype, stream);
    }
    case CollectiveKind::broadcast:
      return comm.broadcast(send, recv, count, dtype, root, stream);
    case CollectiveKind::reduce:
      return comm.reduce(send, recv, count, dtype, shape.op, root, stream);
    case CollectiveKind::gather:
      return comm.gather(send, recv, count, dtype, root, stream);
    case CollectiveKind::scatter:
      return comm.scatter(send, recv, count, dtype, root, stream);
    case CollectiveKind::send_recv:
      return issue_send_recv(shape, comm, send, recv, stream);
    case CollectiveKind::barrier:
      return comm.barrier(stream);
  }
}

}  // namespace stepmark
