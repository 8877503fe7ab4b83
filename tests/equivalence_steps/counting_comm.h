// SPDX-License-Identifier: Apache-2.0
// A Comm that does what another does and counts, for each group split from it, what a rank has put
// on the links: by the textbook's volumes of rings (the bus factors of nccl-tests),
// from what it is called with, so that nothing of a program is asked.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "collectives/comm.h"
#include "core/error.h"

namespace stepmark {

// Bytes by group, in the order of splits; those of groups of one rank stay 0.
using CountedBytes = std::vector<double>;

class CountingComm final : public Comm {
 public:
  CountingComm(std::unique_ptr<Comm> comm, std::shared_ptr<CountedBytes> bytes)
      : CountingComm(std::move(comm), std::move(bytes), -1) {}

  int rank() const override { return comm_->rank(); }
  int size() const override { return comm_->size(); }
  std::string_view backend() const override { return comm_->backend(); }
  CommFacts facts() const override { return comm_->facts(); }
  void check() override { comm_->check(); }
  bool averages_once() const override { return comm_->averages_once(); }
  std::unique_ptr<Comm> alone() const override { return comm_->alone(); }
  using Comm::split;
  std::unique_ptr<Comm> split(int color, int key, const CommOptions& options) override {
    const auto index = static_cast<int>(bytes_->size());
    bytes_->push_back(0);
    std::unique_ptr<Comm> part = comm_->split(color, key, options);
    if (part == nullptr) return nullptr;
    return std::unique_ptr<Comm>(new CountingComm(std::move(part), bytes_, index));
  }

  void all_reduce(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op,
                  Stream& stream) override {
    add(2.0 * others() / size(), count, dtype);
    comm_->all_reduce(send, recv, count, dtype, op, stream);
  }
  void all_gather(const void* send, void* recv, std::size_t count, DType dtype,
                  Stream& stream) override {
    add(others(), count, dtype);
    comm_->all_gather(send, recv, count, dtype, stream);
  }
  void reduce_scatter(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op,
                      Stream& stream) override {
    add(others(), count, dtype);
    comm_->reduce_scatter(send, recv, count, dtype, op, stream);
  }
  void all_to_all(const void* send, void* recv, std::size_t count, DType dtype,
                  Stream& stream) override {
    add(others(), count, dtype);
    comm_->all_to_all(send, recv, count, dtype, stream);
  }
  void send(const void* data, std::size_t count, DType dtype, int peer, Stream& stream) override {
    add(1.0, count, dtype);
    comm_->send(data, count, dtype, peer, stream);
  }
  void recv(void* data, std::size_t count, DType dtype, int peer, Stream& stream) override {
    comm_->recv(data, count, dtype, peer, stream);
  }
  void group_begin() override { comm_->group_begin(); }
  void group_end(Stream& stream) override { comm_->group_end(stream); }
  void barrier(Stream& stream) override { comm_->barrier(stream); }

  void all_to_all_v(const void* send, std::span<const std::size_t> send_counts,
                    std::span<const std::size_t> send_displs, void* recv,
                    std::span<const std::size_t> recv_counts,
                    std::span<const std::size_t> recv_displs, DType dtype,
                    Stream& stream) override {
    for (std::size_t peer = 0; peer < send_counts.size(); ++peer) {
      if (static_cast<int>(peer) != rank()) add(1.0, send_counts[peer], dtype);
    }
    comm_->all_to_all_v(send, send_counts, send_displs, recv, recv_counts, recv_displs, dtype,
                        stream);
  }

  // No step has them: they are not counted, and a step that has them fails.
  void broadcast(const void*, void*, std::size_t, DType, int, Stream&) override {
    throw Error(ExitCode::kUsage, "broadcast is not counted");
  }
  void reduce(const void*, void*, std::size_t, DType, ReduceOp, int, Stream&) override {
    throw Error(ExitCode::kUsage, "reduce is not counted");
  }
  void gather(const void*, void*, std::size_t, DType, int, Stream&) override {
    throw Error(ExitCode::kUsage, "gather is not counted");
  }
  void scatter(const void*, void*, std::size_t, DType, int, Stream&) override {
    throw Error(ExitCode::kUsage, "scatter is not counted");
  }

 private:
  CountingComm(std::unique_ptr<Comm> comm, std::shared_ptr<CountedBytes> bytes, int index)
      : comm_(std::move(comm)), bytes_(std::move(bytes)), index_(index) {}

  [[nodiscard]] double others() const { return size() - 1; }
  // Streams of a step are threads: each group is used by one of them.
  void add(double factor, std::size_t count, DType dtype) {
    if (index_ < 0) return;
    bytes_->at(static_cast<std::size_t>(index_)) +=
        factor * static_cast<double>(count) * static_cast<double>(size_of(dtype));
  }

  std::unique_ptr<Comm> comm_;
  std::shared_ptr<CountedBytes> bytes_;
  int index_;  // of the group; -1: the world, which is not counted
};

}  // namespace stepmark
