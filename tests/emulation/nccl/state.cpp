// SPDX-License-Identifier: Apache-2.0
#include "tests/emulation/nccl/state.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <thread>

namespace stepmark::emulation {
namespace {

std::mutex last_mutex;
std::string last_text;

std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

constexpr std::int64_t kLookEveryNs = 20'000'000;

// What goes ahead of the data of a message.
struct Envelope {
  std::uint64_t signature;
  std::uint64_t bytes;
};

// The messages of one direction to or from one peer, in order.
class Lane {
 public:
  explicit Lane(const Transfer& first) : peer(first.peer), outgoing(first.outgoing) {}
  void add(const Transfer& t) { left_.push_back(t); }
  [[nodiscard]] bool done() const { return left_.empty(); }
  // Whether anything moved. Sets `mismatch` when the other side means something else.
  bool progress(State& state, Channel channel, std::string& mismatch) {
    bool moved = false;
    while (!left_.empty() && mismatch.empty()) {
      Transfer& t = left_.front();
      if (at_ == 0 && outgoing) envelope_ = {t.signature, t.bytes};
      auto* head = reinterpret_cast<std::byte*>(&envelope_);
      const bool in_head = at_ < sizeof(Envelope);
      std::byte* place = in_head ? head + at_ : t.data + (at_ - sizeof(Envelope));
      const std::size_t want = in_head ? sizeof(Envelope) - at_ : sizeof(Envelope) + t.bytes - at_;
      const std::size_t n = outgoing ? state.segment.write(channel, state.rank, peer, place, want)
                                     : state.segment.read(channel, peer, state.rank, place, want);
      at_ += n;
      moved = moved || n > 0;
      if (!outgoing && at_ == sizeof(Envelope) && n > 0 &&
          (envelope_.signature != t.signature || envelope_.bytes != t.bytes)) {
        mismatch = "rank " + std::to_string(peer) + " sends " + std::to_string(envelope_.bytes) +
                   " bytes of operation " + std::to_string(envelope_.signature) + ", rank " +
                   std::to_string(state.rank) + " expects " + std::to_string(t.bytes) +
                   " bytes of operation " + std::to_string(t.signature);
      }
      if (at_ == sizeof(Envelope) + t.bytes) {
        left_.pop_front();
        at_ = 0;
      } else if (n == 0) {
        break;
      }
    }
    return moved;
  }
  const int peer;
  const bool outgoing;

 private:
  std::deque<Transfer> left_;
  std::size_t at_ = 0;
  Envelope envelope_{};
};

// Sends to oneself meet the receives of the same set.
bool exchange_with_self(State& state, const std::vector<Transfer>& transfers) {
  std::vector<const Transfer*> sends;
  std::vector<const Transfer*> receives;
  for (const Transfer& t : transfers) {
    if (t.peer == state.rank) (t.outgoing ? sends : receives).push_back(&t);
  }
  if (sends.size() != receives.size()) return false;
  for (std::size_t i = 0; i < sends.size(); ++i) {
    if (sends[i]->bytes != receives[i]->bytes) return false;
    if (sends[i]->bytes > 0) std::memmove(receives[i]->data, sends[i]->data, sends[i]->bytes);
  }
  return true;
}

std::vector<Lane> lanes_of(const State& state, const std::vector<Transfer>& transfers) {
  std::vector<Lane> lanes;
  for (const Transfer& t : transfers) {
    if (t.peer == state.rank) continue;
    auto lane = std::find_if(lanes.begin(), lanes.end(), [&](const Lane& known) {
      return known.peer == t.peer && known.outgoing == t.outgoing;
    });
    Lane& its = lane != lanes.end() ? *lane : lanes.emplace_back(t);
    its.add(t);
  }
  return lanes;
}

// A rank that died or failed, or one that has left while we wait for it; -1 if none.
int lost_peer(const State& state, const std::vector<Lane>& lanes) {
  for (const Lane& lane : lanes) {
    if (lane.done()) continue;
    if (state.segment.member(lane.peer).state == MemberState::left) return lane.peer;
  }
  return state.segment.lost_member();
}

}  // namespace

ncclResult_t failed(ncclResult_t result, const std::string& text) {
  const std::lock_guard lock(last_mutex);
  last_text = text;
  return result;
}

std::string last_error() {
  const std::lock_guard lock(last_mutex);
  return last_text;
}

void State::fail(ncclResult_t result, const std::string& text) {
  ncclResult_t none = ncclSuccess;
  if (async.compare_exchange_strong(none, result)) failed(result, text);
  segment.member(rank).state = MemberState::failed;
}

ncclResult_t State::async_error() {
  const std::int64_t now = now_ns();
  if (async == ncclSuccess && now - last_look_ns.load() > kLookEveryNs) {
    last_look_ns = now;
    const int lost = segment.lost_member();
    if (lost >= 0 && lost != rank) {
      fail(ncclRemoteError, "rank " + std::to_string(lost) + " is gone");
    }
  }
  return async;
}

void State::abort() {
  aborted = true;
  segment.member(rank).state = MemberState::failed;
}

bool exchange(State& state, Channel channel, const std::vector<Transfer>& transfers) {
  if (!exchange_with_self(state, transfers)) {
    state.fail(ncclInvalidUsage, "sends to oneself do not meet their receives");
    return false;
  }
  std::vector<Lane> lanes = lanes_of(state, transfers);
  std::int64_t idle_since = now_ns();
  for (int round = 0;; ++round) {
    bool moved = false;
    bool done = true;
    std::string mismatch;
    for (Lane& lane : lanes) {
      moved = lane.progress(state, channel, mismatch) || moved;
      done = done && lane.done();
    }
    if (!mismatch.empty()) {
      state.fail(ncclInvalidUsage, mismatch);
      return false;
    }
    if (done) return true;
    if (state.aborted) return false;
    if (moved) {
      idle_since = now_ns();
      continue;
    }
    if (now_ns() - idle_since > kLookEveryNs) {
      idle_since = now_ns();
      // What a rank wrote before it left or died can still be read, so look at pipes once more.
      const int lost = lost_peer(state, lanes);
      bool last_words = false;
      for (Lane& lane : lanes) last_words = lane.progress(state, channel, mismatch) || last_words;
      if (lost >= 0 && lost != state.rank && !last_words) {
        state.fail(ncclRemoteError, "rank " + std::to_string(lost) + " is gone");
        return false;
      }
    }
    if (round % 16 == 15) std::this_thread::sleep_for(std::chrono::microseconds(50));
    std::this_thread::yield();
  }
}

}  // namespace stepmark::emulation
