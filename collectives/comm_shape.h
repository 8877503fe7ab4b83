// SPDX-License-Identifier: Apache-2.0
// One call of a verb as a plain value: what a program's communication ops are, and what a
// collective that is measured comes to on each rank.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collectives/comm.h"
#include "core/dtype.h"

namespace stepmark {

// Verb, group (by mesh axis name, e.g. "tp", "dp"), counts as in Comm. Ranks are those within the
// group.
struct CommShape {
  Verb verb = Verb::all_reduce;
  std::string axis = {};
  DType dtype = DType::f32;
  ReduceOp op = ReduceOp::sum;
  std::int64_t count = 0;
  std::int32_t root = -1;                 // rooted verbs only
  std::int32_t send_peer = -1;            // send_recv only: to whom, -1: receive only
  std::int32_t recv_peer = -1;            // send_recv only: from whom, -1: send only
  std::vector<std::int64_t> send_counts;  // all_to_all_v only
  std::vector<std::int64_t> recv_counts;
  bool operator==(const CommShape&) const = default;
};

// Calls the verb once, the one place where a shape meets the verbs; used by every device. The shape
// must be legal in the group.
void issue(const CommShape& shape, Comm& comm, const void* send, void* recv, Stream& stream);

}  // namespace stepmark
