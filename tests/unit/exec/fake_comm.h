// SPDX-License-Identifier: Apache-2.0
// A Comm that writes down which verbs were called with what, and whose all_reduce runs a hook: the
// tests' way to put arbitrary work into a program.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collectives/comm.h"
#include "harness/exec/executor.h"

namespace stepmark::test {

class FakeComm final : public Comm {
 public:
  using Hook = std::function<void(const void* send, void* recv, std::size_t count)>;
  explicit FakeComm(int rank = 0, int size = 1, Hook hook = {})
      : rank_(rank), size_(size), hook_(std::move(hook)) {}

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] std::string_view backend() const override { return "fake"; }
  // A group of `split_size` ranks in which this rank is number `key`.
  using Comm::split;
  [[nodiscard]] std::unique_ptr<Comm> split(int color, int key, const CommOptions&) override {
    note("split color={} key={}", color, key);
    return color < 0 ? nullptr : std::make_unique<FakeComm>(key, split_size);
  }

  void all_reduce(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op,
                  Stream& stream) override {
    note("all_reduce count={} {} {}", count, name_of(dtype), name_of(op));
    if (hook_) stream.submit([this, send, recv, count] { hook_(send, recv, count); });
    if (native_hook) {
      stream.submit([this, send, recv, count, native = stream.native()] {
        native_hook(send, recv, count, native);
      });
    }
  }
  void all_gather(const void*, void*, std::size_t count, DType, Stream&) override {
    note("all_gather count={}", count);
  }
  void reduce_scatter(const void*, void*, std::size_t count, DType, ReduceOp op, Stream&) override {
    note("reduce_scatter count={} {}", count, name_of(op));
  }
  void all_to_all(const void*, void*, std::size_t count, DType, Stream&) override {
    note("all_to_all count={}", count);
  }
  void all_to_all_v(const void*, std::span<const std::size_t> send_counts,
                    std::span<const std::size_t> send_displs, void*,
                    std::span<const std::size_t> recv_counts,
                    std::span<const std::size_t> recv_displs, DType, Stream&) override {
    note("all_to_all_v {}@{} -> {}@{}", fmt::join(send_counts, ","), fmt::join(send_displs, ","),
         fmt::join(recv_counts, ","), fmt::join(recv_displs, ","));
  }
  void broadcast(const void*, void*, std::size_t count, DType, int root, Stream&) override {
    note("broadcast count={} root={}", count, root);
  }
  void reduce(const void*, void*, std::size_t count, DType, ReduceOp op, int root,
              Stream&) override {
    note("reduce count={} {} root={}", count, name_of(op), root);
  }
  void gather(const void*, void*, std::size_t count, DType, int root, Stream&) override {
    note("gather count={} root={}", count, root);
  }
  void scatter(const void*, void*, std::size_t count, DType, int root, Stream&) override {
    note("scatter count={} root={}", count, root);
  }
  void send(const void*, std::size_t count, DType, int peer, Stream&) override {
    note("send count={} peer={}", count, peer);
  }
  void recv(void*, std::size_t count, DType, int peer, Stream&) override {
    note("recv count={} peer={}", count, peer);
  }
  void group_begin() override { note("group_begin"); }
  void group_end(Stream&) override { note("group_end"); }
  void barrier(Stream&) override { note("barrier"); }

  std::vector<std::string> calls;
  // Of an all_reduce as well, with Stream::native().
  std::function<void(const void* send, void* recv, std::size_t count, void* native)> native_hook;
  int split_size = 1;

 private:
  template <class... Args>
  void note(fmt::format_string<Args...> f, Args&&... args) {
    calls.push_back(fmt::format(f, std::forward<Args>(args)...));
  }

  int rank_, size_;
  Hook hook_;
};

// The same comm for every axis.
class FakeCommSet final : public CommSet {
 public:
  explicit FakeCommSet(FakeComm::Hook hook = {}) : comm(0, 1, std::move(hook)) {}
  Comm& of(std::string_view) override { return comm; }
  FakeComm comm;
};

}  // namespace stepmark::test
