// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 counter-based generator (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as
// easy as 1, 2, 3", SC'11). A value is a pure function of (seed, stream, index): any rank can
// compute any element of any array without talking to another, and so can a GPU.
#pragma once

#include <array>
#include <cstdint>

namespace stepmark {

class Philox {
 public:
  constexpr Philox(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  // Four 32-bit words of block `block` (counter = {block, stream}, key = seed).
  [[nodiscard]] std::array<std::uint32_t, 4> block(std::uint64_t block) const;
  [[nodiscard]] std::uint32_t u32(std::uint64_t index) const;  // word index%4 of block index/4
  [[nodiscard]] std::uint64_t u64(std::uint64_t index) const;
  [[nodiscard]] double uniform(std::uint64_t index) const;  // (0, 1)
  [[nodiscard]] double normal(std::uint64_t index) const;   // Box-Muller, mean 0, sd 1
  [[nodiscard]] std::uint64_t below(std::uint64_t index, std::uint64_t bound) const;  // [0, bound)

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace stepmark
