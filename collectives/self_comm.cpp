// SPDX-License-Identifier: Apache-2.0
// The group of one rank: every collective is a copy (or nothing, in place), a send to oneself meets
// the receive of the same group.
#include <cstring>
#include <utility>
#include <vector>

#include "collectives/comm.h"
#include "collectives/message_group.h"
#include "core/error.h"

namespace stepmark {
namespace {

struct Copy {
  const void* from;
  void* to;
  std::size_t bytes;
};

void copy_on_host(void* to, const void* from, std::size_t bytes, void*) {
  std::memcpy(to, from, bytes);
}

void check_root(int root) {
  STEPMARK_REQUIRE(root == 0, "root {} is not a rank of a group of 1 rank", root);
}

class SelfComm final : public Comm {
 public:
  explicit SelfComm(CopyMemory copy_memory) : copy_memory_(copy_memory) {}
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string_view backend() const override { return "self"; }
  using Comm::split;
  std::unique_ptr<Comm> alone() const override { return make_self_comm(copy_memory_); }
  std::unique_ptr<Comm> split(int color, int, const CommOptions&) override {
    return color < 0 ? nullptr : make_self_comm(copy_memory_);
  }

  void all_reduce(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp,
                  Stream& stream) override {
    copy(send, recv, count, dtype, stream);
  }
  void all_gather(const void* send, void* recv, std::size_t count, DType dtype,
                  Stream& stream) override {
    copy(send, recv, count, dtype, stream);
  }
  void reduce_scatter(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp,
                      Stream& stream) override {
    copy(send, recv, count, dtype, stream);
  }
  void all_to_all(const void* send, void* recv, std::size_t count, DType dtype,
                  Stream& stream) override {
    copy(send, recv, count, dtype, stream);
  }
  void all_to_all_v(const void* send, std::span<const std::size_t> send_counts,
                    std::span<const std::size_t> send_displs, void* recv,
                    std::span<const std::size_t> recv_counts,
                    std::span<const std::size_t> recv_displs, DType dtype,
                    Stream& stream) override {
    for (const auto values : {send_counts, send_displs, recv_counts, recv_displs}) {
      STEPMARK_REQUIRE(values.size() == 1, "all_to_all_v: {} counts or displacements for 1 rank",
                       values.size());
    }
    STEPMARK_REQUIRE(send_counts[0] == recv_counts[0],
                     "all_to_all_v: {} elements sent but {} received", send_counts[0],
                     recv_counts[0]);
    const std::size_t width = size_of(dtype);
    copy(static_cast<const std::byte*>(send) + send_displs[0] * width,
         static_cast<std::byte*>(recv) + recv_displs[0] * width, send_counts[0], dtype, stream);
  }
  void broadcast(const void* send, void* recv, std::size_t count, DType dtype, int root,
                 Stream& stream) override {
    check_root(root);
    copy(send, recv, count, dtype, stream);
  }
  void reduce(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp, int root,
              Stream& stream) override {
    check_root(root);
    copy(send, recv, count, dtype, stream);
  }
  void gather(const void* send, void* recv, std::size_t count, DType dtype, int root,
              Stream& stream) override {
    check_root(root);
    copy(send, recv, count, dtype, stream);
  }
  void scatter(const void* send, void* recv, std::size_t count, DType dtype, int root,
               Stream& stream) override {
    check_root(root);
    copy(send, recv, count, dtype, stream);
  }
  void send(const void* data, std::size_t count, DType dtype, int peer, Stream&) override {
    check_grouped(peer);
    group_.add({.from = data, .bytes = count * size_of(dtype)});
  }
  void recv(void* data, std::size_t count, DType dtype, int peer, Stream&) override {
    check_grouped(peer);
    group_.add({.to = data, .bytes = count * size_of(dtype), .outgoing = false});
  }
  void group_begin() override { group_.begin(); }
  void group_end(Stream& stream) override {
    std::vector<Message> sends, receives;
    for (const Message& message : group_.end()) {
      (message.outgoing ? sends : receives).push_back(message);
    }
    STEPMARK_REQUIRE(sends.size() == receives.size(), "{} sends to oneself but {} receives",
                     sends.size(), receives.size());
    std::vector<Copy> copies;
    for (std::size_t i = 0; i < sends.size(); ++i) {
      STEPMARK_REQUIRE(sends[i].bytes == receives[i].bytes,
                       "send of {} bytes to oneself meets a receive of {}", sends[i].bytes,
                       receives[i].bytes);
      copies.push_back({sends[i].from, receives[i].to, sends[i].bytes});
    }
    submit_copies(std::move(copies), stream);
  }
  void barrier(Stream& stream) override { submit_copies({}, stream); }

 private:
  struct Message {
    const void* from = nullptr;  // of a send
    void* to = nullptr;          // of a receive
    std::size_t bytes = 0;
    bool outgoing = true;
  };

  void submit_copies(std::vector<Copy> copies, Stream& stream) const {
    stream.submit([copies = std::move(copies), copy = copy_memory_, native = stream.native()] {
      for (const Copy& c : copies) {
        if (c.from != c.to && c.bytes > 0) copy(c.to, c.from, c.bytes, native);
      }
    });
  }

  void copy(const void* from, void* to, std::size_t count, DType dtype, Stream& stream) const {
    submit_copies({{from, to, count * size_of(dtype)}}, stream);
  }

  void check_grouped(int peer) const {
    STEPMARK_REQUIRE(peer == 0, "peer {} is not a rank of a group of 1 rank", peer);
    STEPMARK_REQUIRE(group_.is_open(), "a send to oneself needs its receive in the same group");
  }

  CopyMemory copy_memory_;
  MessageGroup<Message> group_;
};

}  // namespace

std::unique_ptr<Comm> make_self_comm() { return make_self_comm(&copy_on_host); }
std::unique_ptr<Comm> make_self_comm(CopyMemory copy_memory) {
  return std::make_unique<SelfComm>(copy_memory);
}

}  // namespace stepmark
