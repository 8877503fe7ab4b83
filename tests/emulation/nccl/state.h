// SPDX-License-Identifier: Apache-2.0
// One rank's side of an emulated communicator. Work on streams holds it by shared_ptr: a handle
// that is destroyed too early shows as an error and not as a crash.
#pragma once

#include <nccl.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/emulation/nccl/segment.h"

namespace stepmark::emulation {

// Sets the text of ncclGetLastError and returns `result`.
ncclResult_t failed(ncclResult_t result, const std::string& text);
[[nodiscard]] std::string last_error();

struct State {
  State(const std::string& shm_name, int rank_, int ranks)
      : name(shm_name), rank(rank_), segment(shm_name, ranks) {}
  [[nodiscard]] int ranks() const { return segment.ranks(); }

  // Records the first asynchronous error and tells the other ranks that this one is out.
  void fail(ncclResult_t result, const std::string& text);
  // The state of the communicator; looks after the other ranks, a few times a second.
  [[nodiscard]] ncclResult_t async_error();
  void abort();
  // Failed or aborted: nothing more will happen.
  [[nodiscard]] bool is_out() const { return async != ncclSuccess || aborted; }
  // Whether work on streams may end without a result. On a GPU it spins until the communicator is
  // aborted; here no longer than two seconds, so that no test hangs for ever.
  [[nodiscard]] bool gives_up() const;

  const std::string name;
  const int rank;
  Segment segment;
  std::atomic<ncclResult_t> async{ncclSuccess};
  std::atomic<bool> aborted{false};
  std::atomic<std::int64_t> failed_at_ns{0};
  std::atomic<std::int64_t> last_look_ns{0};
  std::atomic<const void*> running{nullptr};  // one operation at a time: its address
  std::atomic<bool> connected{false};
  int splits = 0;
  bool finalized = false;

  std::mutex tables;
  std::map<int, std::pair<ncclDataType_t, double>> scaled_sums;
  int next_op = ncclNumOps;
  std::map<void*, std::size_t> registered;
  std::map<ncclWindow_t, void*> windows;
};

// One message of a set that progresses together.
struct Transfer {
  int peer;
  bool outgoing;
  std::byte* data;  // only read where it goes out
  std::size_t bytes;
  std::uint64_t signature;  // of the operation: must be the same on both sides
};

enum class Outcome { waiting, done, failed };

// Transfers that progress together; those between two ranks keep their order.
class Exchange {
 public:
  Exchange(State& state, Channel channel, const std::vector<Transfer>& transfers);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  // Moves what can be moved now. `failed`: a rank was lost, or the two sides do not fit each other;
  // the state then has failed, or it was aborted.
  [[nodiscard]] Outcome poll();

 private:
  class Lane;
  bool progress(std::string& mismatch);
  [[nodiscard]] int lost_peer() const;

  State& state_;
  Channel channel_;
  std::vector<Lane> lanes_;
  std::int64_t idle_since_ns_;
  bool started_well_;
};

// The same, waiting. False when it failed.
[[nodiscard]] bool exchange(State& state, Channel channel, const std::vector<Transfer>& transfers);

}  // namespace stepmark::emulation
