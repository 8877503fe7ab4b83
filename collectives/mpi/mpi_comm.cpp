// SPDX-License-Identifier: Apache-2.0
// Comm over MPI on host memory. Every verb checks its arguments and chooses its path at once, and
// submits one task that makes blocking MPI calls in the stream's own thread: MPI progresses there,
// beside compute on other streams. Tasks hold all they need by value and may be run again and
// again; the Comm must outlive them. The common path is exactly one MPI call.
#include <algorithm>
#include <cstring>
#include <vector>

#include "collectives/average.h"
#include "collectives/message_group.h"
#include "collectives/mpi/mpi_comm.h"
#include "collectives/mpi/mpi_reduce_ops.h"
#include "collectives/mpi/mpi_runtime.h"
#include "collectives/mpi/mpi_types.h"

namespace stepmark {
namespace {

constexpr int kTag = 0;

struct Message {
  void* data;  // only read where it is sent
  MpiRun run;
  int peer;
  bool outgoing;
};

// Posts every message, then waits for all, so that no order of peers can deadlock.
void exchange(const std::vector<Message>& messages, MPI_Comm comm) {
  std::vector<MPI_Request> requests;
  requests.reserve(messages.size());
  for (const bool outgoing : {false, true}) {  // receives first: sends then find them posted
    for (const Message& m : messages) {
      if (m.outgoing != outgoing) continue;
      MPI_Request request = MPI_REQUEST_NULL;
      if (outgoing) {
        STEPMARK_MPI(MPI_Isend(m.data, m.run.count(), m.run.type(), m.peer, kTag, comm, &request));
      } else {
        STEPMARK_MPI(MPI_Irecv(m.data, m.run.count(), m.run.type(), m.peer, kTag, comm, &request));
      }
      requests.push_back(request);
    }
  }
  // One by one and not MPI_Waitall, with which Open MPI 4.1 may wait for ever once a message
  // failed. All are waited for before a failure is reported: none stays behind in a buffer of the
  // caller.
  int failure = MPI_SUCCESS;
  for (MPI_Request& request : requests) {
    const int code = MPI_Wait(&request, MPI_STATUS_IGNORE);
    if (failure == MPI_SUCCESS) failure = code;
  }
  check_mpi(failure, "MPI_Wait(&request, MPI_STATUS_IGNORE)");
}

class MpiComm final : public Comm {
 public:
  MpiComm(MpiCommHandle comm, std::shared_ptr<const MpiReduceOps> ops, std::size_t max_count)
      : comm_(std::move(comm)), ops_(std::move(ops)), max_count_(max_count) {
    STEPMARK_MPI(MPI_Comm_rank(comm_.get(), &rank_));
    STEPMARK_MPI(MPI_Comm_size(comm_.get(), &size_));
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string_view backend() const override { return "mpi"; }

  using Comm::split;

  std::unique_ptr<Comm> split(int color, int key, const CommOptions&) override {
    MPI_Comm part = MPI_COMM_NULL;
    STEPMARK_MPI(MPI_Comm_split(comm_.get(), color < 0 ? MPI_UNDEFINED : color, key, &part));
    if (part == MPI_COMM_NULL) return nullptr;
    return std::make_unique<MpiComm>(MpiCommHandle(part), ops_, max_count_);
  }

  void all_reduce(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op,
                  Stream& stream) override {
    const void* input = send == recv ? MPI_IN_PLACE : send;
    if (op != ReduceOp::avg && count <= max_count_) {
      stream.submit([input, recv, n = static_cast<int>(count), type = mpi_type(dtype),
                     mpi_op = ops_->get(dtype, op), comm = comm_.get()] {
        STEPMARK_MPI(MPI_Allreduce(input, recv, n, type, mpi_op, comm));
      });
      return;
    }
    stream.submit([=, pieces = pieces_of(count), type = mpi_type(dtype), ranks = size_,
                   mpi_op = ops_->get(dtype, op), comm = comm_.get()] {
      for (const Piece& p : pieces) {
        STEPMARK_MPI(MPI_Allreduce(at(input, p.first, dtype), at(recv, p.first, dtype), p.count,
                                   type, mpi_op, comm));
      }
      if (op == ReduceOp::avg) divide_in_place(recv, count, dtype, ranks);
    });
  }

  void reduce(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op, int root,
              Stream& stream) override {
    check_peer(root, "root");
    const void* input = rank_ == root && send == recv ? MPI_IN_PLACE : send;
    stream.submit([=, pieces = pieces_of(count), type = mpi_type(dtype), rank = rank_,
                   ranks = size_, mpi_op = ops_->get(dtype, op), comm = comm_.get()] {
      for (const Piece& p : pieces) {
        STEPMARK_MPI(MPI_Reduce(at(input, p.first, dtype), at(recv, p.first, dtype), p.count, type,
                                mpi_op, root, comm));
      }
      if (op == ReduceOp::avg && rank == root) divide_in_place(recv, count, dtype, ranks);
    });
  }

  void reduce_scatter(const void* send, void* recv, std::size_t count, DType dtype, ReduceOp op,
                      Stream& stream) override {
    // In place MPI takes the whole receive buffer as input and leaves the result at its start; here
    // the result belongs at this rank's chunk and the rest stays: reduce beside it, then copy.
    const bool in_place = recv == at(send, own_first(count), dtype);
    const std::size_t bytes = count * size_of(dtype);
    auto beside = std::make_shared<std::vector<std::byte>>(in_place ? bytes : 0);
    stream.submit([=, pieces = pieces_of(count), type = mpi_type(dtype), ranks = size_,
                   one_call = count * static_cast<std::size_t>(size_) <= max_count_,
                   mpi_op = ops_->get(dtype, op), comm = comm_.get()] {
      void* result = in_place ? beside->data() : recv;
      if (one_call) {
        STEPMARK_MPI(
            MPI_Reduce_scatter_block(send, result, static_cast<int>(count), type, mpi_op, comm));
      } else {
        for (int root = 0; root < ranks; ++root) {
          for (const Piece& p : pieces) {
            const std::size_t first = static_cast<std::size_t>(root) * count + p.first;
            STEPMARK_MPI(MPI_Reduce(at(send, first, dtype), at(result, p.first, dtype), p.count,
                                    type, mpi_op, root, comm));
          }
        }
      }
      if (op == ReduceOp::avg) divide_in_place(result, count, dtype, ranks);
      if (in_place && bytes > 0) std::memcpy(recv, result, bytes);
    });
  }

  void all_gather(const void* send, void* recv, std::size_t count, DType dtype,
                  Stream& stream) override {
    const void* input = send == at(recv, own_first(count), dtype) ? MPI_IN_PLACE : send;
    stream.submit([=, run = run_of(count, dtype), comm = comm_.get()] {
      STEPMARK_MPI(
          MPI_Allgather(input, run.count(), run.type(), recv, run.count(), run.type(), comm));
    });
  }

  void all_to_all(const void* send, void* recv, std::size_t count, DType dtype,
                  Stream& stream) override {
    check_apart(send, recv, count);
    stream.submit([=, run = run_of(count, dtype), comm = comm_.get()] {
      STEPMARK_MPI(
          MPI_Alltoall(send, run.count(), run.type(), recv, run.count(), run.type(), comm));
    });
  }

  void all_to_all_v(const void* send, std::span<const std::size_t> send_counts,
                    std::span<const std::size_t> send_displs, void* recv,
                    std::span<const std::size_t> recv_counts,
                    std::span<const std::size_t> recv_displs, DType dtype,
                    Stream& stream) override {
    bool fits = true;
    std::size_t most = 0;
    for (const auto values : {send_counts, send_displs, recv_counts, recv_displs}) {
      STEPMARK_REQUIRE(values.size() == static_cast<std::size_t>(size_),
                       "all_to_all_v: {} counts or displacements for {} ranks", values.size(),
                       size_);
      for (const std::size_t v : values) most = std::max(most, v);
    }
    fits = most <= max_count_;
    check_apart(send, recv, most);
    if (fits) {
      stream.submit([=, sc = ints(send_counts), sd = ints(send_displs), rc = ints(recv_counts),
                     rd = ints(recv_displs), type = mpi_type(dtype), comm = comm_.get()] {
        STEPMARK_MPI(MPI_Alltoallv(send, sc.data(), sd.data(), type, recv, rc.data(), rd.data(),
                                   type, comm));
      });
      return;
    }
    std::vector<Message> messages;
    for (std::size_t r = 0; r < send_counts.size(); ++r) {
      const int peer = static_cast<int>(r);
      void* out = const_cast<void*>(at(send, send_displs[r], dtype));  // only read
      messages.push_back({out, run_of(send_counts[r], dtype), peer, true});
      messages.push_back(
          {at(recv, recv_displs[r], dtype), run_of(recv_counts[r], dtype), peer, false});
    }
    submit_exchange(std::move(messages), stream);
  }

  void broadcast(const void* send, void* recv, std::size_t count, DType dtype, int root,
                 Stream& stream) override {
    check_peer(root, "root");
    const std::size_t copied_bytes = rank_ == root && send != recv ? count * size_of(dtype) : 0;
    stream.submit([=, run = run_of(count, dtype), comm = comm_.get()] {
      if (copied_bytes > 0) std::memcpy(recv, send, copied_bytes);
      STEPMARK_MPI(MPI_Bcast(recv, run.count(), run.type(), root, comm));
    });
  }

  void gather(const void* send, void* recv, std::size_t count, DType dtype, int root,
              Stream& stream) override {
    check_peer(root, "root");
    stream.submit([=, run = run_of(count, dtype), comm = comm_.get()] {
      STEPMARK_MPI(
          MPI_Gather(send, run.count(), run.type(), recv, run.count(), run.type(), root, comm));
    });
  }

  void scatter(const void* send, void* recv, std::size_t count, DType dtype, int root,
               Stream& stream) override {
    check_peer(root, "root");
    stream.submit([=, run = run_of(count, dtype), comm = comm_.get()] {
      STEPMARK_MPI(
          MPI_Scatter(send, run.count(), run.type(), recv, run.count(), run.type(), root, comm));
    });
  }

  void send(const void* data, std::size_t count, DType dtype, int peer, Stream& stream) override {
    check_peer(peer, "peer");
    // Only read; the one message type of a group holds both directions.
    enqueue({const_cast<void*>(data), run_of(count, dtype), peer, true}, stream);
  }

  void recv(void* data, std::size_t count, DType dtype, int peer, Stream& stream) override {
    check_peer(peer, "peer");
    enqueue({data, run_of(count, dtype), peer, false}, stream);
  }

  void group_begin() override { group_.begin(); }
  void group_end(Stream& stream) override { submit_exchange(group_.end(), stream); }

  void barrier(Stream& stream) override {
    stream.submit([comm = comm_.get()] { STEPMARK_MPI(MPI_Barrier(comm)); });
  }

 private:
  struct Piece {
    std::size_t first;
    int count;
  };

  // [0, count) in pieces that fit an int; one empty piece for nothing, since every rank must call.
  std::vector<Piece> pieces_of(std::size_t count) const {
    std::vector<Piece> pieces;
    std::size_t first = 0;
    do {
      const std::size_t n = std::min(count - first, max_count_);
      pieces.push_back({first, static_cast<int>(n)});
      first += n;
    } while (first < count);
    return pieces;
  }

  MpiRun run_of(std::size_t count, DType dtype) const { return MpiRun(count, dtype, max_count_); }
  std::size_t own_first(std::size_t count) const { return static_cast<std::size_t>(rank_) * count; }

  static std::vector<int> ints(std::span<const std::size_t> values) {
    std::vector<int> out(values.size());
    std::transform(values.begin(), values.end(), out.begin(),
                   [](std::size_t v) { return static_cast<int>(v); });
    return out;
  }

  // MPI_IN_PLACE is a mark, not an address.
  static const void* at(const void* base, std::size_t element, DType dtype) {
    if (base == MPI_IN_PLACE) return base;
    return static_cast<const std::byte*>(base) + element * size_of(dtype);
  }
  static void* at(void* base, std::size_t element, DType dtype) {
    return static_cast<std::byte*>(base) + element * size_of(dtype);
  }

  void check_peer(int peer, std::string_view what) const {
    STEPMARK_REQUIRE(peer >= 0 && peer < size_, "{} {} is not a rank of a group of {} ranks", what,
                     peer, size_);
  }
  static void check_apart(const void* send, const void* recv, std::size_t count) {
    STEPMARK_REQUIRE(send != recv || count == 0, "this collective does not work in place");
  }

  void enqueue(Message message, Stream& stream) {
    if (group_.is_open()) return group_.add(std::move(message));
    stream.submit([m = std::move(message), comm = comm_.get()] {
      if (m.outgoing) {
        STEPMARK_MPI(MPI_Send(m.data, m.run.count(), m.run.type(), m.peer, kTag, comm));
      } else {
        STEPMARK_MPI(
            MPI_Recv(m.data, m.run.count(), m.run.type(), m.peer, kTag, comm, MPI_STATUS_IGNORE));
      }
    });
  }

  void submit_exchange(std::vector<Message> messages, Stream& stream) {
    stream.submit(
        [messages = std::move(messages), comm = comm_.get()] { exchange(messages, comm); });
  }

  MpiCommHandle comm_;
  std::shared_ptr<const MpiReduceOps> ops_;
  std::size_t max_count_;
  int rank_ = 0;
  int size_ = 1;
  MessageGroup<Message> group_;
};

}  // namespace

std::unique_ptr<Comm> make_mpi_comm_with_limit(std::size_t max_count) {
  return std::make_unique<MpiComm>(duplicate(MPI_COMM_WORLD),
                                   std::make_shared<const MpiReduceOps>(), max_count);
}

std::unique_ptr<Comm> make_mpi_comm() { return make_mpi_comm_with_limit(kMaxMpiCount); }

}  // namespace stepmark
