// SPDX-License-Identifier: Apache-2.0
// A collective as a thing to verify and to time, written once as a call of a verb and so the same
// on every backend. One file per collective in collectives/kinds/, one line in the list of
// collectives/CMakeLists.txt.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "collectives/comm_shape.h"
#include "core/metrics.h"

namespace stepmark {

struct CollectiveSetup {
  std::int64_t size_bytes = 0;  // nccl-tests' size; see core/metrics.h
  DType dtype = DType::f32;
  ReduceOp op = ReduceOp::sum;  // ignored by collectives that do not reduce
  bool in_place = false;
  int root = 0;
  std::uint64_t seed = 1;
  int send_peer = -1, recv_peer = -1;  // messages only (collectives/message.h); -1: nobody
  std::vector<std::int64_t> send_counts, recv_counts;  // exchanges only (there): of this rank
};

// Element counts of one rank's buffers for a setup, the same on every rank. Sizes are rounded down
// so that every rank gets equal chunks (nccl-tests also rounds chunks to 16 bytes, which leaves
// nothing of small sizes); `size_bytes` is the size after rounding.
struct CollectiveSizes {
  std::size_t send_count = 0;   // elements in the send buffer
  std::size_t recv_count = 0;   // elements in the receive buffer
  std::size_t verb_count = 0;   // `count` of the verb
  std::int64_t size_bytes = 0;  // S of algbw = S / t
};

// Collective::origin of an element that all ranks had a part in.
inline constexpr int kAllRanks = -1;

struct Collective {
  CollectiveKind kind;
  bool reduces;
  bool supports_in_place;
  CollectiveSizes (*sizes)(const CollectiveSetup&, int ranks);
  // Value that element `index` of rank `rank`'s send buffer has, and that element `index` of its
  // receive buffer must have, exactly (bit for bit after conversion to the dtype). NaN: the verb
  // must not write that element (the receive buffer of a rank that is not the root, say).
  double (*input)(const CollectiveSetup&, int ranks, int rank, std::size_t index);
  double (*expected)(const CollectiveSetup&, int ranks, int rank, std::size_t index);
  // The call that each rank makes, without the group's name.
  CommShape (*shape)(const CollectiveSetup&, int ranks, int rank);
  // Rank whose data element `index` of `rank`'s receive buffer is; kAllRanks for reductions.
  int (*origin)(const CollectiveSetup&, int ranks, int rank, std::size_t index);
};

[[nodiscard]] std::span<const Collective* const> all_collectives();
[[nodiscard]] const Collective& collective(CollectiveKind kind);

}  // namespace stepmark
