// SPDX-License-Identifier: Apache-2.0
#include "tests/emulation/nccl/operations.h"

#include <algorithm>
#include <cstring>

#include "tests/emulation/nccl/injection.h"
#include "tests/emulation/nccl/reduction.h"

namespace stepmark::emulation {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

std::uint64_t signature_of(Verb verb, ncclDataType_t type, int op, int root) {
  return ((static_cast<std::uint64_t>(verb) * 100 + static_cast<std::uint64_t>(type)) * 100 +
          static_cast<std::uint64_t>(op)) *
             1000 +
         static_cast<std::uint64_t>(root);
}

std::size_t received_bytes(const State& state, const Operation& o) {
  if ((o.verb == Verb::reduce || o.verb == Verb::gather) && state.rank != o.root) return 0;
  const bool many =
      o.verb == Verb::all_gather || o.verb == Verb::all_to_all || o.verb == Verb::gather;
  return o.count * size_of(o.type) * (many ? static_cast<std::size_t>(state.ranks()) : 1);
}

// Runs one set of transfers after the other, one job of a state at a time.
class StagedJob : public Job {
 public:
  explicit StagedJob(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~StagedJob() override { release(); }

  bool poll() override {
    if (state_->is_out()) return state_->gives_up() && end();
    const void* nobody = nullptr;
    const bool mine =
        state_->running == this || state_->running.compare_exchange_strong(nobody, this);
    if (!mine) return false;
    while (true) {
      if (!current_) {
        std::vector<Transfer> transfers;
        if (!next(transfers)) return end();
        current_ = std::make_unique<Exchange>(*state_, Channel::stream, transfers);
      }
      switch (current_->poll()) {
        case Outcome::waiting:
          return false;
        case Outcome::failed:
          return state_->gives_up() && end();
        case Outcome::done:
          current_ = nullptr;
          complete();
      }
    }
  }

 protected:
  // The next transfers; false: all is done.
  virtual bool next(std::vector<Transfer>& transfers) = 0;
  virtual void complete() {}  // after each set
  State& state() const { return *state_; }

 private:
  bool end() {
    release();
    return true;
  }
  void release() {
    const void* self = this;
    state_->running.compare_exchange_strong(self, nullptr);
  }

  std::shared_ptr<State> state_;
  std::unique_ptr<Exchange> current_;
};

class CollectiveJob final : public StagedJob {
 public:
  CollectiveJob(std::shared_ptr<State> with, const Operation& o)
      : StagedJob(std::move(with)),
        o_(o),
        width_(size_of(o.type)),
        bytes_(o.count * width_),
        piece_(std::max<std::size_t>(kPieceBytes / width_, 1)),
        signature_(
            signature_of(o.verb, o.type, o.scaled ? static_cast<int>(ncclNumOps) : o.op, o.root)) {}

 private:
  bool next(std::vector<Transfer>& transfers) override {
    if (first_ >= o_.count) {
      maybe_flip_bit(out(), received_bytes(state(), o_));
      return false;
    }
    if (reduces()) {
      count_ = std::min(piece_, o_.count - first_);
      prepare_piece(transfers);
    } else {
      count_ = o_.count;
      move(transfers);
    }
    return true;
  }

  void complete() override {
    if (reduces() && receives(state().rank)) reduce_piece();
    first_ += count_;
  }

  [[nodiscard]] bool reduces() const {
    return o_.verb == Verb::all_reduce || o_.verb == Verb::reduce ||
           o_.verb == Verb::reduce_scatter;
  }
  [[nodiscard]] bool scattered() const { return o_.verb == Verb::reduce_scatter; }
  [[nodiscard]] bool receives(int rank) const { return o_.verb != Verb::reduce || rank == o_.root; }
  // Averages of floating types scale the inputs by 1/n, as NCCL does; those of integers divide.
  [[nodiscard]] double input_scale() const {
    if (o_.scaled) return o_.scale;
    return o_.op == ncclAvg && is_floating(o_.type) ? 1.0 / state().ranks() : 1.0;
  }

  void move(std::vector<Transfer>& transfers) {
    const int rank = state().rank;
    const bool root = rank == o_.root;
    const auto add = [&](int peer, bool outgoing, std::byte* data) {
      transfers.push_back({peer, outgoing, data, bytes_, signature_});
    };
    switch (o_.verb) {
      case Verb::all_gather:
        copy(out(rank), in());
        return for_peers([&](int peer) {
          add(peer, true, in());
          add(peer, false, out(peer));
        });
      case Verb::all_to_all:
        copy(out(rank), in(rank));
        return for_peers([&](int peer) {
          add(peer, true, in(peer));
          add(peer, false, out(peer));
        });
      case Verb::broadcast:
        if (!root) return add(o_.root, false, out());
        copy(out(), in());
        return for_peers([&](int peer) { add(peer, true, in()); });
      case Verb::gather:
        if (!root) return add(o_.root, true, in());
        copy(out(rank), in());
        return for_peers([&](int peer) { add(peer, false, out(peer)); });
      case Verb::scatter:
        if (!root) return add(o_.root, false, out());
        copy(out(), in(rank));
        return for_peers([&](int peer) { add(peer, true, in(peer)); });
      default:
        return;
    }
  }

  // A receiver takes the part of the others' inputs that is its own: all of it, or its chunk.
  void prepare_piece(std::vector<Transfer>& transfers) {
    const std::size_t bytes = count_ * width_;
    const auto ranks = static_cast<std::size_t>(state().ranks());
    const std::size_t parts = scattered() ? ranks : 1;
    outgoing_.resize(parts * bytes);
    for (std::size_t r = 0; r < parts; ++r) {
      std::byte* part = outgoing_.data() + r * bytes;
      std::memcpy(part, in(static_cast<int>(r)) + first_ * width_, bytes);
      if (input_scale() != 1.0) scale(part, count_, o_.type, input_scale());
    }
    const bool mine = receives(state().rank);
    incoming_.resize(mine ? ranks * bytes : 0);
    for_peers([&](int peer) {
      if (receives(peer)) transfers.push_back({peer, true, part_for(peer), bytes, signature_});
      if (mine) transfers.push_back({peer, false, part_of(peer), bytes, signature_});
    });
    if (mine) std::memcpy(part_of(state().rank), part_for(state().rank), bytes);
  }

  void reduce_piece() {
    const ncclRedOp_t op = o_.op == ncclAvg || o_.scaled ? ncclSum : o_.op;
    for (int rank = 1; rank < state().ranks(); ++rank) {
      combine(incoming_.data(), part_of(rank), count_, o_.type, op);
    }
    if (o_.op == ncclAvg && !o_.scaled) {
      divide(incoming_.data(), count_, o_.type, state().ranks());
    }
    std::memcpy(out() + first_ * width_, incoming_.data(), count_ * width_);
  }

  std::byte* part_for(int rank) {
    return outgoing_.data() + (scattered() ? static_cast<std::size_t>(rank) * count_ * width_ : 0);
  }
  std::byte* part_of(int rank) {
    return incoming_.data() + static_cast<std::size_t>(rank) * count_ * width_;
  }
  std::byte* in(int chunk = 0) const {
    return static_cast<std::byte*>(const_cast<void*>(o_.send)) +
           static_cast<std::size_t>(chunk) * bytes_;
  }
  std::byte* out(int chunk = 0) const {
    return static_cast<std::byte*>(o_.recv) + static_cast<std::size_t>(chunk) * bytes_;
  }
  void copy(std::byte* to, const std::byte* from) const {
    if (to != from) std::memmove(to, from, bytes_);
  }
  template <class Visit>
  void for_peers(Visit visit) const {
    for (int peer = 0; peer < state().ranks(); ++peer) {
      if (peer != state().rank) visit(peer);
    }
  }

  Operation o_;
  std::size_t width_;
  std::size_t bytes_;
  std::size_t piece_;  // elements
  std::uint64_t signature_;
  std::size_t first_ = 0;  // elements that are done
  std::size_t count_ = 0;  // of the current piece
  std::vector<std::byte> outgoing_, incoming_;
};

class MessagesJob final : public StagedJob {
 public:
  MessagesJob(std::shared_ptr<State> with, std::vector<MessageCall> messages)
      : StagedJob(std::move(with)), messages_(std::move(messages)) {}

 private:
  bool next(std::vector<Transfer>& transfers) override {
    if (ended_) return false;
    for (const MessageCall& m : messages_) {
      transfers.push_back({m.peer, m.outgoing, m.data, m.count * size_of(m.type),
                           signature_of(Verb::message, m.type, 0, 0)});
    }
    return true;
  }
  void complete() override {
    ended_ = true;
    const auto received =
        std::find_if(messages_.begin(), messages_.end(),
                     [](const MessageCall& m) { return !m.outgoing && m.count > 0; });
    if (received == messages_.end()) return maybe_flip_bit(nullptr, 0);
    maybe_flip_bit(received->data, received->count * size_of(received->type));
  }

  std::vector<MessageCall> messages_;
  bool ended_ = false;
};

}  // namespace

std::shared_ptr<Job> make_job(std::shared_ptr<State> state, const Operation& operation) {
  return std::make_shared<CollectiveJob>(std::move(state), operation);
}

std::shared_ptr<Job> make_job(std::shared_ptr<State> state,
                              const std::vector<MessageCall>& messages) {
  return std::make_shared<MessagesJob>(std::move(state), messages);
}

}  // namespace stepmark::emulation
