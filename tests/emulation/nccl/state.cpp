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
constexpr std::int64_t kSpinAfterFailureNs = 2'000'000'000;

// What goes ahead of the data of a message.
struct Envelope {
  std::uint64_t signature;
  std::uint64_t bytes;
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
  if (async == ncclSuccess) failed_at_ns = now_ns();
  if (async.compare_exchange_strong(none, result)) failed(result, text);
  segment.member(rank).state = MemberState::failed;
}

ncclResult_t State::async_error() {
  const std::int64_t now = now_ns();
  // Only connections notice that a rank is gone.
  if (connected && async == ncclSuccess && now - last_look_ns.load() > kLookEveryNs) {
    last_look_ns = now;
    const int lost = segment.lost_member();
    if (lost >= 0 && lost != rank) {
      fail(ncclRemoteError, "rank " + std::to_string(lost) + " is gone");
    }
  }
  return async;
}

bool State::gives_up() const { return aborted || now_ns() - failed_at_ns > kSpinAfterFailureNs; }

void State::abort() {
  aborted = true;
  segment.member(rank).state = MemberState::failed;
}

// The messages of one direction to or from one peer, in order.
class Exchange::Lane {
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
  int peer;
  bool outgoing;

 private:
  std::deque<Transfer> left_;
  std::size_t at_ = 0;
  Envelope envelope_{};
};

Exchange::Exchange(State& state, Channel channel, const std::vector<Transfer>& transfers)
    : state_(state),
      channel_(channel),
      idle_since_ns_(now_ns()),
      started_well_(exchange_with_self(state, transfers)) {
  for (const Transfer& t : transfers) {
    if (t.peer == state.rank) continue;
    const auto lane = std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& known) {
      return known.peer == t.peer && known.outgoing == t.outgoing;
    });
    Lane& its = lane != lanes_.end() ? *lane : lanes_.emplace_back(t);
    its.add(t);
  }
}

Exchange::~Exchange() = default;

bool Exchange::progress(std::string& mismatch) {
  bool moved = false;
  for (Lane& lane : lanes_) moved = lane.progress(state_, channel_, mismatch) || moved;
  return moved;
}

// A rank that died or failed, or one that has left while we wait for it; -1 if none.
int Exchange::lost_peer() const {
  for (const Lane& lane : lanes_) {
    if (lane.done()) continue;
    if (state_.segment.member(lane.peer).state == MemberState::left) return lane.peer;
  }
  return state_.segment.lost_member();
}

Outcome Exchange::poll() {
  if (!started_well_) {
    state_.fail(ncclInvalidUsage, "sends to oneself do not meet their receives");
    return Outcome::failed;
  }
  std::string mismatch;
  bool moved = progress(mismatch);
  if (!moved && now_ns() - idle_since_ns_ > kLookEveryNs) {
    // What a rank wrote before it left or died can still be read: look at the pipes once more.
    const int lost = lost_peer();
    moved = progress(mismatch);
    if (lost >= 0 && lost != state_.rank && !moved && mismatch.empty()) {
      state_.fail(ncclRemoteError, "rank " + std::to_string(lost) + " is gone");
      return Outcome::failed;
    }
    idle_since_ns_ = now_ns();
  }
  if (moved) idle_since_ns_ = now_ns();
  if (!mismatch.empty()) {
    state_.fail(ncclInvalidUsage, mismatch);
    return Outcome::failed;
  }
  if (std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.done(); })) {
    return Outcome::done;
  }
  return state_.aborted || state_.async != ncclSuccess ? Outcome::failed : Outcome::waiting;
}

bool exchange(State& state, Channel channel, const std::vector<Transfer>& transfers) {
  Exchange all(state, channel, transfers);
  while (true) {
    const Outcome outcome = all.poll();
    if (outcome != Outcome::waiting) return outcome == Outcome::done;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

}  // namespace stepmark::emulation
