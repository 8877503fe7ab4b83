// SPDX-License-Identifier: Apache-2.0
// What ranks say to each other: collective verbs on a stream, over a group of ranks.
//
// Sizes: `count` is elements per rank of the small side, as in NCCL's API: all_gather sends `count`
// and receives count*size; reduce_scatter sends count*size and receives `count`; all_to_all sends
// and receives count*size; gather/scatter move `count` per rank. send == recv is in place where the
// verb allows it (all_reduce, reduce, broadcast; all_gather with send = recv + rank*count;
// reduce_scatter with recv = send + rank*count). All ranks of the group call the same verbs in the
// same order; one stream at a time per Comm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/device.h"
#include "core/dtype.h"
#include "core/metrics.h"

namespace stepmark {

// What a program may ask of a group: the verbs of Comm, send and recv as one. What is measured of
// them is a CollectiveKind (core/metrics.h).
enum class Verb : std::uint8_t {
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,
  all_to_all_v,
  broadcast,
  reduce,
  gather,
  scatter,
  send_recv,
  barrier,
};
[[nodiscard]] std::string_view name_of(Verb verb);    // "all_reduce", ...
[[nodiscard]] Verb verb_from(std::string_view name);  // Error(kUsage)
[[nodiscard]] std::span<const Verb> all_verbs();
// One rank, the root, sends to all or receives from all.
[[nodiscard]] bool is_rooted(Verb verb);
// Of the collective of the verb's name.
[[nodiscard]] double bus_factor(Verb verb, int ranks);

enum class ReduceOp : std::uint8_t { sum, avg, min, max, prod };
[[nodiscard]] std::string_view name_of(ReduceOp op);
[[nodiscard]] ReduceOp reduce_op_from(std::string_view name);

// Wishes for a group; a library that has no such thing ignores them and does not list them in
// facts().
struct CommOptions {
  int max_ctas = 0;  // most thread blocks of a collective; 0: the library's choice
};

// What the library says of a group ("version", "max_ctas", "init_s" ...), for records.
using CommFacts = std::vector<std::pair<std::string, std::string>>;

class Comm {
 public:
  virtual ~Comm() = default;
  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  [[nodiscard]] virtual std::string_view backend() const = 0;  // "mpi", "nccl", "self"
  // Collective over this group: ranks with equal color form a new group ordered by key. A negative
  // color takes part in the call but gets nullptr.
  [[nodiscard]] virtual std::unique_ptr<Comm> split(int color, int key,
                                                    const CommOptions& options) = 0;
  [[nodiscard]] std::unique_ptr<Comm> split(int color, int key) { return split(color, key, {}); }
  // A group of this rank alone, for memory of the same device.
  [[nodiscard]] virtual std::unique_ptr<Comm> alone() const;
  [[nodiscard]] virtual CommFacts facts() const { return {}; }
  // What the library chose for the latest call of that size ("algorithm", "protocol",
  // "channels"), on the ranks that know; empty where it does not tell.
  [[nodiscard]] virtual CommFacts choice(Verb, std::int64_t /*size_bytes*/) const { return {}; }
  // Throws Error when this group, or one split from it, is known to have failed (a rank that died).
  // Any thread; does not wait.
  virtual void check() {}
  // Whether avg divides the sum once (collectives/average.h). NCCL scales floating inputs by 1/size
  // before the sum instead, which rounds every one of them where size is no power of two.
  [[nodiscard]] virtual bool averages_once() const { return true; }

  virtual void all_reduce(const void* send, void* recv, std::size_t count, DType, ReduceOp,
                          Stream&) = 0;
  virtual void all_gather(const void* send, void* recv, std::size_t count, DType, Stream&) = 0;
  virtual void reduce_scatter(const void* send, void* recv, std::size_t count, DType, ReduceOp,
                              Stream&) = 0;
  virtual void all_to_all(const void* send, void* recv, std::size_t count, DType, Stream&) = 0;
  // Counts and displacements in elements, one per rank of the group; copied by the call.
  virtual void all_to_all_v(const void* send, std::span<const std::size_t> send_counts,
                            std::span<const std::size_t> send_displs, void* recv,
                            std::span<const std::size_t> recv_counts,
                            std::span<const std::size_t> recv_displs, DType, Stream&) = 0;
  virtual void broadcast(const void* send, void* recv, std::size_t count, DType, int root,
                         Stream&) = 0;
  virtual void reduce(const void* send, void* recv, std::size_t count, DType, ReduceOp, int root,
                      Stream&) = 0;
  virtual void gather(const void* send, void* recv, std::size_t count, DType, int root,
                      Stream&) = 0;
  virtual void scatter(const void* send, void* recv, std::size_t count, DType, int root,
                       Stream&) = 0;
  virtual void send(const void* data, std::size_t count, DType, int peer, Stream&) = 0;
  virtual void recv(void* data, std::size_t count, DType, int peer, Stream&) = 0;
  // Sends and receives between begin and end progress together (as ncclGroupStart/End); end submits
  // them to the stream as one task.
  virtual void group_begin() = 0;
  virtual void group_end(Stream&) = 0;
  virtual void barrier(Stream&) = 0;
};

// A group of one rank: verbs are copies, of host memory or by the given function, which is called
// inside of a stream's task with the stream's native().
using CopyMemory = void (*)(void* to, const void* from, std::size_t bytes, void* native_stream);
[[nodiscard]] std::unique_ptr<Comm> make_self_comm();
[[nodiscard]] std::unique_ptr<Comm> make_self_comm(CopyMemory copy_memory);

}  // namespace stepmark
