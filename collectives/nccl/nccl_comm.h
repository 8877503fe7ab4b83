// SPDX-License-Identifier: Apache-2.0
// Comm over NCCL. A verb checks its arguments at once, reads the stream's native() and submits one
// task that only enqueues; tasks hold all they need by value, may be run again and again and under
// graph capture, and must be gone before the Comm is. alltoall, gather and scatter are the
// library's own where it has them, else grouped sends and receives.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collectives/comm.h"
#include "collectives/message_group.h"
#include "collectives/nccl/cuda_self_comm.h"
#include "collectives/nccl/nccl_handle.h"
#include "collectives/nccl/nccl_registration.h"
#include "collectives/nccl/nccl_types.h"
#include "collectives/nccl/nccl_world.h"
#include "collectives/nccl/tuning_log.h"

namespace stepmark {

class NcclComm final : public Comm {
 public:
  NcclComm(std::shared_ptr<NcclHandle> handle, const NcclSettings& settings,
           const CommOptions& options, double init_s);

  int rank() const override { return handle_->rank(); }
  int size() const override { return handle_->size(); }
  std::string_view backend() const override { return "nccl"; }
  using Comm::split;
  // A group of one rank is no NCCL's: what it computes is a copy (make_cuda_self_comm).
  std::unique_ptr<Comm> split(int color, int key, const CommOptions& options) override;
  std::unique_ptr<Comm> alone() const override { return make_cuda_self_comm(); }
  // "version", "header_version" where it differs, "library", "ranks", "init_s" (of making this
  // communicator), and where they apply "max_ctas", "cta_policy" (asked for), "topology".
  CommFacts facts() const override;
  CommFacts choice(Verb verb, std::int64_t size_bytes) const override;
  // Of the whole family: the world and all groups split from it.
  void check() override { handle_->family()->check(); }
  bool averages_once() const override { return false; }

  void all_reduce(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op,
                  Stream& stream) override;
  void all_gather(const void* send, void* recv, std::size_t count, DType dtype,
                  Stream& stream) override;
  void reduce_scatter(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op,
                      Stream& stream) override;
  void all_to_all(const void* send, void* recv, std::size_t count, DType dtype,
                  Stream& stream) override;
  void all_to_all_v(const void* send, std::span<const std::size_t> send_counts,
                    std::span<const std::size_t> send_displs, void* recv,
                    std::span<const std::size_t> recv_counts,
                    std::span<const std::size_t> recv_displs, DType dtype, Stream& stream) override;
  void broadcast(const void* send, void* recv, std::size_t count, DType dtype, int root,
                 Stream& stream) override;
  void reduce(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op, int root,
              Stream& stream) override;
  void gather(const void* send, void* recv, std::size_t count, DType dtype, int root,
              Stream& stream) override;
  void scatter(const void* send, void* recv, std::size_t count, DType dtype, int root,
               Stream& stream) override;
  void send(const void* data, std::size_t count, DType dtype, int peer, Stream& stream) override;
  void recv(void* data, std::size_t count, DType dtype, int peer, Stream& stream) override;
  void group_begin() override;
  void group_end(Stream& stream) override;
  void barrier(Stream& stream) override;  // an all-reduce of one element

  // What NCCL alone has: recv = sum over ranks of scale * send, scale being this rank's own
  // (ncclRedOpCreatePreMulSum). Floating types only.
  void all_reduce_scaled(const void* send, void* recv, std::size_t count, DType dtype, double scale,
                         Stream& stream);
  void reduce_scatter_scaled(const void* send, void* recv, std::size_t count, DType dtype,
                             double scale, Stream& stream);
  // What NCCL chose the last time for a collective of that size, by this process's log: for worlds
  // with NcclSettings::tuning_log, on rank 0 of the group that ran it. Untimed; reads the whole
  // log.
  [[nodiscard]] std::optional<CollectiveChoice> choice_of(Verb verb, std::int64_t size_bytes) const;
  [[nodiscard]] std::unique_ptr<NcclRegistration> register_buffer(void* data, std::size_t bytes,
                                                                  NcclRegistrationKind kind);

 private:
  struct Message {
    void* data;  // only read where it is sent
    std::size_t count;
    ncclDataType_t type;
    int peer;
    bool outgoing;
  };

  void check_peer(int peer, std::string_view what) const;
  void check_reduction(DType dtype) const;
  void check_scaled_sum(DType dtype) const;
  // Of the verbs that reduce: all have this signature.
  void submit_scaled(decltype(&::ncclAllReduce) call, const void* send, void* recv,
                     std::size_t count, DType dtype, double scale, Stream& stream) const;
  // For the reductions of a world of one rank; null where there are more.
  [[nodiscard]] Comm* copies() const { return copies_.get(); }
  void enqueue(const Message& message, Stream& stream);
  void submit_group(std::vector<Message> messages, Stream& stream) const;
  static ncclResult_t issue(const NcclHandle& handle, const Message& message, cudaStream_t stream);

  std::shared_ptr<void> barrier_element_;  // goes after the communicator that may use it
  std::shared_ptr<NcclHandle> handle_;
  std::unique_ptr<Comm> copies_;
  NcclSettings settings_;
  CommOptions options_;
  double init_s_;
  int compute_capability_major_ = 0;
  int splits_ = 0;
  MessageGroup<Message> group_;
};

// Settings and options as a configuration of `library`.
[[nodiscard]] ncclConfig_t nccl_config(const NcclLibrary& library, const NcclSettings& settings,
                                       const CommOptions& options);

}  // namespace stepmark
