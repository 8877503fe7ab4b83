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

// One operation of one rank with its operands as bytes.
class Run {
 public:
  Run(State& state, const Operation& o)
      : state_(state),
        o_(o),
        width_(size_of(o.type)),
        bytes_(o.count * width_),
        signature_(signature_of(o.verb, o.type, o.scaled ? ncclNumOps : o.op, o.root)) {}

  bool all_gather() {
    const std::byte* own = in();
    copy(out(state_.rank), own);
    for_peers([&](int peer) {
      add(peer, true, own);
      add(peer, false, out(peer));
    });
    return go();
  }

  bool all_to_all() {
    copy(out(state_.rank), in(state_.rank));
    for_peers([&](int peer) {
      add(peer, true, in(peer));
      add(peer, false, out(peer));
    });
    return go();
  }

  bool broadcast() {
    if (state_.rank == o_.root) {
      copy(out(), in());
      for_peers([&](int peer) { add(peer, true, in()); });
    } else {
      add(o_.root, false, out());
    }
    return go();
  }

  bool gather() {
    if (state_.rank == o_.root) {
      copy(out(state_.rank), in());
      for_peers([&](int peer) { add(peer, false, out(peer)); });
    } else {
      add(o_.root, true, in());
    }
    return go();
  }

  bool scatter() {
    if (state_.rank == o_.root) {
      copy(out(), in(state_.rank));
      for_peers([&](int peer) { add(peer, true, in(peer)); });
    } else {
      add(o_.root, false, out());
    }
    return go();
  }

  // Each rank's input is needed by `receivers`: all, or the root. A receiver takes the part of the
  // others' inputs that is its own: all of it, or (scattered) its chunk.
  bool reduce() {
    const std::size_t piece = std::max<std::size_t>(kPieceBytes / width_, 1);
    for (std::size_t first = 0; first < o_.count; first += piece) {
      if (!reduce_piece(first, std::min(piece, o_.count - first))) return false;
    }
    return true;
  }

 private:
  [[nodiscard]] bool receives(int rank) const { return o_.verb != Verb::reduce || rank == o_.root; }

  bool reduce_piece(std::size_t first, std::size_t count) {
    const bool scattered = o_.verb == Verb::reduce_scatter;
    const std::size_t bytes = count * width_;
    const auto ranks = static_cast<std::size_t>(state_.ranks());
    const bool mine = receives(state_.rank);
    std::vector<std::byte> outgoing(scattered ? ranks * bytes : bytes);
    for (std::size_t r = 0; r < (scattered ? ranks : 1); ++r) {
      std::byte* part = outgoing.data() + r * bytes;
      std::memcpy(part, in(static_cast<int>(r)) + first * width_, bytes);
      if (o_.scaled) scale(part, count, o_.type, o_.scale);
      if (o_.op == ncclAvg && !o_.scaled && is_floating(o_.type)) {
        scale(part, count, o_.type, 1.0 / static_cast<double>(ranks));
      }
    }
    std::vector<std::byte> incoming(mine ? ranks * bytes : 0);
    const auto part_for = [&](int rank) {
      return outgoing.data() + (scattered ? static_cast<std::size_t>(rank) * bytes : 0);
    };
    const auto part_of = [&](int rank) {
      return incoming.data() + static_cast<std::size_t>(rank) * bytes;
    };
    for_peers([&](int peer) {
      if (receives(peer)) transfers_.push_back({peer, true, part_for(peer), bytes, signature_});
      if (mine) transfers_.push_back({peer, false, part_of(peer), bytes, signature_});
    });
    if (!go()) return false;
    if (!mine) return true;
    std::memcpy(part_of(state_.rank), part_for(state_.rank), bytes);
    const ncclRedOp_t op = o_.op == ncclAvg || o_.scaled ? ncclSum : o_.op;
    for (int rank = 1; rank < state_.ranks(); ++rank) {
      combine(incoming.data(), part_of(rank), count, o_.type, op);
    }
    if (o_.op == ncclAvg && !o_.scaled) divide(incoming.data(), count, o_.type, state_.ranks());
    std::memcpy(out() + first * width_, incoming.data(), bytes);
    return true;
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
    for (int peer = 0; peer < state_.ranks(); ++peer) {
      if (peer != state_.rank) visit(peer);
    }
  }
  void add(int peer, bool outgoing, const std::byte* data) {
    transfers_.push_back({peer, outgoing, const_cast<std::byte*>(data), bytes_, signature_});
  }
  bool go() { return exchange(state_, Channel::stream, std::exchange(transfers_, {})); }

  State& state_;
  const Operation& o_;
  std::size_t width_;
  std::size_t bytes_;
  std::uint64_t signature_;
  std::vector<Transfer> transfers_;
};

bool dispatch(Run& run, Verb verb) {
  switch (verb) {
    case Verb::all_reduce:
    case Verb::reduce_scatter:
    case Verb::reduce:
      return run.reduce();
    case Verb::all_gather:
      return run.all_gather();
    case Verb::broadcast:
      return run.broadcast();
    case Verb::all_to_all:
      return run.all_to_all();
    case Verb::gather:
      return run.gather();
    case Verb::scatter:
      return run.scatter();
    case Verb::message:
      break;
  }
  return false;
}

std::size_t received_bytes(const State& state, const Operation& o) {
  if ((o.verb == Verb::reduce || o.verb == Verb::gather) && state.rank != o.root) return 0;
  const bool many =
      o.verb == Verb::all_gather || o.verb == Verb::all_to_all || o.verb == Verb::gather;
  return o.count * size_of(o.type) * (many ? static_cast<std::size_t>(state.ranks()) : 1);
}

}  // namespace

void run(State& state, const Operation& operation) {
  const std::lock_guard lock(state.running);
  if (state.async != ncclSuccess || state.aborted) return;
  Run work(state, operation);
  if (!dispatch(work, operation.verb)) return;
  maybe_flip_bit(static_cast<std::byte*>(operation.recv), received_bytes(state, operation));
}

void run(State& state, const std::vector<MessageCall>& messages) {
  const std::lock_guard lock(state.running);
  if (state.async != ncclSuccess || state.aborted) return;
  std::vector<Transfer> transfers;
  for (const MessageCall& m : messages) {
    transfers.push_back({m.peer, m.outgoing, m.data, m.count * size_of(m.type),
                         signature_of(Verb::message, m.type, 0, 0)});
  }
  if (!exchange(state, Channel::stream, transfers)) return;
  const auto received = std::find_if(messages.begin(), messages.end(), [](const MessageCall& m) {
    return !m.outgoing && m.count > 0;
  });
  if (received == messages.end()) {
    maybe_flip_bit(nullptr, 0);
  } else {
    maybe_flip_bit(received->data, received->count * size_of(received->type));
  }
}

}  // namespace stepmark::emulation
