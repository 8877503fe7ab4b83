// SPDX-License-Identifier: Apache-2.0
// Which of the ops that an op depends on its stream really has to wait for: of each other stream
// the latest, and none that an earlier op of the same stream has waited for already.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace stepmark {

class FewestWaits {
 public:
  // The op at hand depends on op `op` of stream `stream`.
  void depends(std::int32_t stream, std::int32_t op) {
    auto& latest = at(needed_, stream);
    latest = std::max(latest, op);
  }
  // The op at hand is on `stream`: what it waits for, in the order of streams. Asked of ops in
  // their order; takes time per stream, not per op.
  [[nodiscard]] std::vector<std::int32_t> waits_of(std::int32_t stream) {
    if (std::ssize(waited_) <= stream) waited_.resize(static_cast<std::size_t>(stream) + 1);
    auto& waited = waited_[static_cast<std::size_t>(stream)];
    std::vector<std::int32_t> waits;
    for (std::int32_t other = 0; other < std::ssize(needed_); ++other) {
      const std::int32_t op = std::exchange(needed_[static_cast<std::size_t>(other)], -1);
      if (other == stream || op <= at(waited, other)) continue;
      at(waited, other) = op;
      waits.push_back(op);
    }
    return waits;
  }

 private:
  static std::int32_t& at(std::vector<std::int32_t>& by_stream, std::int32_t stream) {
    if (std::ssize(by_stream) <= stream) {
      by_stream.resize(static_cast<std::size_t>(stream) + 1, -1);
    }
    return by_stream[static_cast<std::size_t>(stream)];
  }

  std::vector<std::int32_t> needed_;               // by stream: of the op at hand; -1: none
  std::vector<std::vector<std::int32_t>> waited_;  // by stream and other stream: the latest
};

}  // namespace stepmark
