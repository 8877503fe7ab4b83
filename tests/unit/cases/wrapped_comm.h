// SPDX-License-Identifier: Apache-2.0
// A Comm that does what another does, says what a test wants of itself, remembers the wishes of its
// groups, and can spoil what arrives.
#pragma once

#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "collectives/comm.h"

namespace stepmark::test {

class WrappedComm final : public Comm {
 public:
  struct Behaviour {
    CommFacts facts;
    bool has_cta_limit = false;
    // Groups of this many ranks have a bit of their first received byte flipped in all_reduce.
    int spoil_groups_of = 0;
    bool spoil_messages = false;                    // the same of what recv receives
    bool spoil_exchanges = false;                   // of rows, by counts
    std::chrono::milliseconds all_reduce_takes{0};  // longer, on its stream
    bool barrier_lets_through = false;
    std::vector<CommOptions> splits;  // seen
  };
  WrappedComm(std::unique_ptr<Comm> owned, Comm& comm, std::shared_ptr<Behaviour> behaviour,
              int max_ctas = 0)
      : owned_(std::move(owned)),
        comm_(comm),
        behaviour_(std::move(behaviour)),
        max_ctas_(max_ctas) {}

  int rank() const override { return comm_.rank(); }
  int size() const override { return comm_.size(); }
  std::string_view backend() const override { return "wrapped"; }
  using Comm::split;
  std::unique_ptr<Comm> split(int color, int key, const CommOptions& options) override {
    behaviour_->splits.push_back(options);
    std::unique_ptr<Comm> part = comm_.split(color, key);
    if (part == nullptr) return nullptr;
    Comm& inner = *part;
    return std::make_unique<WrappedComm>(std::move(part), inner, behaviour_, options.max_ctas);
  }
  CommFacts facts() const override {
    CommFacts facts = behaviour_->facts;
    if (behaviour_->has_cta_limit && max_ctas_ > 0) {
      facts.emplace_back("max_ctas", std::to_string(max_ctas_));
    }
    return facts;
  }

  void all_reduce(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op,
                  Stream& stream) override {
    comm_.all_reduce(send, recv, count, dtype, op, stream);
    if (const auto longer = behaviour_->all_reduce_takes; longer.count() > 0) {
      stream.submit([longer] { std::this_thread::sleep_for(longer); });
    }
    if (behaviour_->spoil_groups_of != size()) return;
    stream.submit([recv] { *static_cast<unsigned char*>(recv) ^= 1U; });
  }
  void all_gather(const void* send, void* recv, std::size_t count, DType dtype,
                  Stream& stream) override {
    comm_.all_gather(send, recv, count, dtype, stream);
  }
  void reduce_scatter(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op,
                      Stream& stream) override {
    comm_.reduce_scatter(send, recv, count, dtype, op, stream);
  }
  void all_to_all(const void* send, void* recv, std::size_t count, DType dtype,
                  Stream& stream) override {
    comm_.all_to_all(send, recv, count, dtype, stream);
  }
  void all_to_all_v(const void* send, std::span<const std::size_t> send_counts,
                    std::span<const std::size_t> send_displs, void* recv,
                    std::span<const std::size_t> recv_counts,
                    std::span<const std::size_t> recv_displs, DType dtype,
                    Stream& stream) override {
    comm_.all_to_all_v(send, send_counts, send_displs, recv, recv_counts, recv_displs, dtype,
                       stream);
    if (!behaviour_->spoil_exchanges) return;
    stream.submit([recv] { *static_cast<unsigned char*>(recv) ^= 1U; });
  }
  void broadcast(const void* send, void* recv, std::size_t count, DType dtype, int root,
                 Stream& stream) override {
    comm_.broadcast(send, recv, count, dtype, root, stream);
  }
  void reduce(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op, int root,
              Stream& stream) override {
    comm_.reduce(send, recv, count, dtype, op, root, stream);
  }
  void gather(const void* send, void* recv, std::size_t count, DType dtype, int root,
              Stream& stream) override {
    comm_.gather(send, recv, count, dtype, root, stream);
  }
  void scatter(const void* send, void* recv, std::size_t count, DType dtype, int root,
               Stream& stream) override {
    comm_.scatter(send, recv, count, dtype, root, stream);
  }
  void send(const void* data, std::size_t count, DType dtype, int peer, Stream& stream) override {
    comm_.send(data, count, dtype, peer, stream);
  }
  void recv(void* data, std::size_t count, DType dtype, int peer, Stream& stream) override {
    comm_.recv(data, count, dtype, peer, stream);
    if (!behaviour_->spoil_messages) return;
    received_.push_back(data);
    if (!grouped_) spoil_received(stream);
  }
  void group_begin() override {
    grouped_ = true;
    comm_.group_begin();
  }
  void group_end(Stream& stream) override {
    grouped_ = false;
    comm_.group_end(stream);
    spoil_received(stream);
  }
  void barrier(Stream& stream) override {
    if (!behaviour_->barrier_lets_through) comm_.barrier(stream);
  }

 private:
  void spoil_received(Stream& stream) {
    for (void* data : received_) {
      stream.submit([data] { *static_cast<unsigned char*>(data) ^= 1U; });
    }
    received_.clear();
  }

  bool grouped_ = false;
  std::vector<void*> received_;  // still to be spoiled
  std::unique_ptr<Comm> owned_;
  Comm& comm_;
  std::shared_ptr<Behaviour> behaviour_;
  int max_ctas_;
};

}  // namespace stepmark::test
