// SPDX-License-Identifier: Apache-2.0
// The buffers of one rank for a collective, filled with data whose result is known, and the check
// of that result: every element bit for bit, guard zones around the buffers, the send buffer
// unchanged.
#pragma once

#include <cstdint>
#include <string>

#include "collectives/collective.h"
#include "collectives/guarded_memory.h"
#include "core/device.h"

namespace stepmark {

struct Verification {
  std::int64_t checked = 0;  // elements of the receive buffer
  bool moves_data = true;    // false for the barrier: there is nothing to look at
  std::int64_t wrong = 0;
  std::int64_t first_bad = -1;  // index in the receive buffer
  double expected = 0.0;        // at first_bad; NaN: the element should not have been written
  double got = 0.0;
  std::string cause;  // whose data first_bad is, and what its value looks like
  bool guards_intact = true;
  bool send_intact = true;
  std::string damage;  // where a guard or the send buffer changed

  // Never for a check that looked at nothing.
  [[nodiscard]] bool ok() const {
    return wrong == 0 && guards_intact && send_intact && (checked > 0 || !moves_data);
  }
  // One line: "2 of 1024 elements wrong, the first at index 17 (chunk of rank 2): expected ...".
  [[nodiscard]] std::string describe() const;
};

// Bytes of a rank's buffers, guards apart; in place the send buffer is part of the other.
struct CollectiveBytes {
  std::size_t send = 0;
  std::size_t recv = 0;
};
[[nodiscard]] CollectiveBytes buffer_bytes(const Collective& collective,
                                           const CollectiveSetup& setup, int ranks);
// Where this rank's chunk begins in the receive buffer, in elements, for a collective in place.
struct InPlaceOffsets {
  std::size_t send = 0;
  std::size_t recv = 0;
};
[[nodiscard]] InPlaceOffsets in_place_offsets(const CollectiveSizes& sizes, int rank);

// Memory of a rank's buffers with their guards: GuardedMemory::zone_bytes of buffer_bytes each.
struct CollectiveZones {
  void* send = nullptr;
  void* recv = nullptr;
};

// Use: fill(); submit() and stream.synchronize(), or whatever else makes the call; verify(). All
// ranks build it with the same setup.
class CollectiveBuffers {
 public:
  // `device` must outlive it. Error(kUsage): in place where the collective has no such form.
  CollectiveBuffers(Device& device, const Collective& collective, const CollectiveSetup& setup,
                    int rank, int ranks);
  // In memory of somebody else, such as a program's, who keeps it.
  CollectiveBuffers(Device& device, const Collective& collective, const CollectiveSetup& setup,
                    int rank, int ranks, const CollectiveZones& zones);

  // Writes inputs, poison (kPoisonByte in all that is to be received) and guards.
  void fill();
  // Submits the verb to the stream. `comm` must be the group that the buffers were made for.
  void submit(Comm& comm, Stream& stream);
  // Of a call that was not made by submit(): the group that makes it.
  void made_by(const Comm& comm) { averages_once_ = comm.averages_once(); }
  // After the stream was synchronised. Bit for bit; only averages of floats by a Comm that does not
  // divide once (Comm::averages_once), over a number of ranks that is no power of two, may differ
  // by what its roundings can add up to.
  [[nodiscard]] Verification verify() const;
  // Whether verify() also holds after several submits: not for reductions in place, which take
  // their own result as the next input; these need a fill() before the run that is verified.
  [[nodiscard]] bool repeatable() const;

  [[nodiscard]] const CollectiveSizes& sizes() const { return sizes_; }
  [[nodiscard]] const CollectiveSetup& setup() const { return setup_; }
  [[nodiscard]] std::byte* send() const;
  [[nodiscard]] std::byte* recv() const;

 private:
  CollectiveBuffers(Device& device, const Collective& collective, const CollectiveSetup& setup,
                    int rank, int ranks, GuardedMemory recv, GuardedMemory send);
  // Calls visit(first, bytes, count) for the input in pieces that are small enough for the host.
  template <class Value, class Visit>
  void for_each_piece(std::size_t count, Value value, Visit visit) const;
  void check_received(Verification& result) const;
  void check_send(Verification& result) const;
  [[nodiscard]] std::string cause_of(std::size_t index, double got) const;
  // Index of the reduction's inputs whose result is element `index` of the receive buffer.
  [[nodiscard]] std::size_t input_index(std::size_t index) const;
  // Whether `got` is right although it is not the expected bits; see verify().
  [[nodiscard]] bool close_enough(std::size_t index, double got) const;

  Device* device_;
  const Collective* collective_;
  CollectiveSetup setup_;
  int rank_;
  int ranks_;
  CollectiveSizes sizes_;
  std::size_t width_;  // bytes of an element
  GuardedMemory recv_;
  GuardedMemory send_;         // empty in place
  bool averages_once_ = true;  // of the Comm that makes the call
};

}  // namespace stepmark
