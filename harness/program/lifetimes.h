// SPDX-License-Identifier: Apache-2.0
// When the buffers of a program are live, in the order that its streams and waits make. Internal to
// harness/program.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "harness/program/program.h"

namespace stepmark {

// What has surely ended when an op begins: of each stream the last such op, -1 for none. Those
// before it on that stream have ended as well.
class Clocks {
 public:
  explicit Clocks(const Program& program);
  [[nodiscard]] std::size_t streams() const { return streams_; }
  [[nodiscard]] std::span<const std::int32_t> at(std::int32_t op) const {
    return {clocks_.data() + static_cast<std::size_t>(op) * streams_, streams_};
  }

 private:
  std::size_t streams_;
  std::vector<std::int32_t> clocks_;  // by op and stream
};

// The times at which one buffer is live, in order.
class Lifetime {
 public:
  explicit Lifetime(std::size_t streams) : streams_(streams) {}

  // Appends a time that begins with `op` / adds `op` to the last one. Ops come in their order.
  void begin(std::int32_t op, std::int32_t stream, const Clocks& clocks);
  void extend(std::int32_t op, std::int32_t stream, const Clocks& clocks);
  // Makes one of neighbouring times that are not wholly one after the other (of parts of the buffer
  // that streams use each for itself). To be called at the end.
  void join_concurrent();

  [[nodiscard]] std::size_t size() const { return first_.size(); }
  [[nodiscard]] std::int32_t first(std::size_t i) const { return first_[i]; }
  [[nodiscard]] std::int32_t last(std::size_t i) const { return last_[i]; }
  // Whether some op of the one may run while the other is live. A buffer with few times is compared
  // with one that has many in time per few, not per many.
  [[nodiscard]] bool overlaps(const Lifetime& other) const;

 private:
  void join(std::size_t into, std::size_t from);
  void move(std::size_t to, std::size_t from);
  // All uses in time i end before any of time j of `next` begins.
  [[nodiscard]] bool before(std::size_t i, const Lifetime& next, std::size_t j) const;
  // The last time from i on that ends before `op` in the order of ops; time i does.
  [[nodiscard]] std::size_t last_before(std::size_t i, std::int32_t op) const;

  std::size_t streams_;
  std::vector<std::int32_t> first_, last_;  // by time, in the order of ops
  std::vector<std::int32_t> after_;         // by time and stream: ended before any of its ops
  std::vector<std::int32_t> uses_;          // by time and stream: its last op there, -1: none
};

// By buffer; empty for buffers without any use.
struct Lifetimes {
  std::vector<Lifetime> of;
  std::vector<bool> read_first;  // read before written: what it is before the program matters
};
[[nodiscard]] Lifetimes lifetimes_of(const Program& program);

}  // namespace stepmark
