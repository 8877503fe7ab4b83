// SPDX-License-Identifier: Apache-2.0
// The collectives of the emulated NCCL, as sets of messages between all ranks and arithmetic on
// each rank. Every rank combines inputs in rank order, so all get the same bits.
#pragma once

#include <vector>

#include "tests/emulation/nccl/state.h"

namespace stepmark::emulation {

enum class Verb : int {
  all_reduce,
  all_gather,
  reduce_scatter,
  broadcast,
  reduce,
  all_to_all,
  gather,
  scatter,
  message  // of a group: send or receive
};

struct Operation {
  Verb verb;
  const void* send;
  void* recv;
  std::size_t count;  // as in the call
  ncclDataType_t type;
  ncclRedOp_t op;      // built in; avg and scaled sums stay as they are
  double scale = 1.0;  // of this rank's input, for scaled sums
  bool scaled = false;
  int root = 0;
};

struct MessageCall {
  std::byte* data;  // only read where it goes out
  std::size_t count;
  ncclDataType_t type;
  int peer;
  bool outgoing;
};

// One execution of an operation on a stream: call poll() until it returns true. Where the state has
// failed, or fails meanwhile, it ends without a result when State::gives_up().
class Job {
 public:
  virtual ~Job() = default;
  [[nodiscard]] virtual bool poll() = 0;
};
[[nodiscard]] std::shared_ptr<Job> make_job(std::shared_ptr<State> state,
                                            const Operation& operation);
[[nodiscard]] std::shared_ptr<Job> make_job(std::shared_ptr<State> state,
                                            const std::vector<MessageCall>& messages);

}  // namespace stepmark::emulation
