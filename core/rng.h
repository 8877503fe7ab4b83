// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 counter-based generator (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as
// easy as 1, 2, 3", SC'11). A value is a pure function of (seed, stream, index): any rank can
// compute any element of any array without talking to another, and so can a GPU.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace stepmark {

class Philox {
 public:
  constexpr Philox(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  // Four 32-bit words of block `block` (counter = {block, stream}, key = seed, low words first).
  [[nodiscard]] constexpr std::array<std::uint32_t, 4> block(std::uint64_t block) const {
    std::uint32_t c0 = low(block);
    std::uint32_t c1 = high(block);
    std::uint32_t c2 = low(stream_);
    std::uint32_t c3 = high(stream_);
    std::uint32_t k0 = low(seed_);
    std::uint32_t k1 = high(seed_);
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c0;
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c2;
      c0 = high(p1) ^ c1 ^ k0;
      c1 = low(p1);
      c2 = high(p0) ^ c3 ^ k1;
      c3 = low(p0);
      k0 += 0x9E3779B9;  // golden ratio
      k1 += 0xBB67AE85;  // sqrt(3) - 1
    }
    return {c0, c1, c2, c3};
  }

  // Word index%4 of block index/4.
  [[nodiscard]] constexpr std::uint32_t u32(std::uint64_t index) const {
    return block(index / 4)[index % 4];
  }
  // Words 2*(index%2) (low) and the next (high) of block index/2.
  [[nodiscard]] constexpr std::uint64_t u64(std::uint64_t index) const {
    const auto words = block(index / 2);
    const auto first = 2 * (index % 2);
    return std::uint64_t{words[first + 1]} << 32 | words[first];
  }
  // Open interval (0, 1): multiples of 2^-52 plus 2^-53, all exact.
  [[nodiscard]] constexpr double uniform(std::uint64_t index) const { return to_unit(u64(index)); }
  // Box-Muller, mean 0, sd 1. Indices 2k and 2k+1 share block k.
  [[nodiscard]] double normal(std::uint64_t index) const {
    const std::uint64_t pair = index / 2 * 2;
    const double radius = std::sqrt(-2 * std::log(uniform(pair)));
    const double angle = 2 * std::numbers::pi * uniform(pair + 1);
    return radius * (index % 2 == 0 ? std::cos(angle) : std::sin(angle));
  }
  // [0, bound), bound > 0; the bias is below bound / 2^64.
  [[nodiscard]] constexpr std::uint64_t below(std::uint64_t index, std::uint64_t bound) const {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>(Wide{u64(index)} * bound >> 64);
  }

 private:
  static constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
  static constexpr std::uint32_t high(std::uint64_t x) {
    return static_cast<std::uint32_t>(x >> 32);
  }
  static constexpr double to_unit(std::uint64_t x) {
    return (static_cast<double>(x >> 12) + 0.5) * 0x1p-52;
  }

  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace stepmark
