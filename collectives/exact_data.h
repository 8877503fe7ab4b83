// SPDX-License-Identifier: Apache-2.0
// Inputs of collectives whose results are known bit for bit.
//
// Every value is a pure function of (seed, element index, rank), so any rank computes what it must
// receive without talking to another. For reductions every partial result, in any order and any
// grouping, is exactly representable in the dtype; so every algorithm must give the same bits:
//   sum, avg  at most K ranks contribute to an element, K so small that the sum of the magnitudes
//             fits the significand; all share one power-of-two unit. Others add +0. Contributions
//             are never 0: one that is lost or counted twice shows.
//   prod      one rank brings a random significand, a few bring 2 or 1/2 (integers: 2), others 1,
//             with random signs.
//   min, max  one rank holds the extreme value, of either sign, others lie strictly beyond it.
// Who plays which role rotates from element to element, so every rank matters somewhere. avg
// divides the exact sum once (collectives/average.h). The idea of such data: NVIDIA nccl-tests,
// verifiable/. Holds for up to kMaxRanks ranks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "collectives/collective.h"

namespace stepmark {

inline constexpr int kMaxRanks = 4096;

// A byte that no generated element consists of: fp8, fp16: NaN, wider floats: huge, integers: above
// the largest generated one. Receive buffers are filled with it beforehand.
inline constexpr std::uint8_t kPoisonByte = 0x7F;

// The 64-bit finaliser of SplitMix64 (Steele, Lea, Flood 2014). Philox would do as well but costs
// ten times as much, and verifying takes a draw per element and rank.
[[nodiscard]] std::uint64_t mix_bits(std::uint64_t x);

// Element `index` of `rank`'s input to a reduction over `ranks` ranks, and the reduced element.
[[nodiscard]] double reduction_input(const CollectiveSetup& setup, int ranks, int rank,
                                     std::size_t index);
[[nodiscard]] double reduction_result(const CollectiveSetup& setup, int ranks, std::size_t index);

// Element `index` of `owner`'s data in a collective that only moves data.
[[nodiscard]] double moved_value(const CollectiveSetup& setup, int owner, std::size_t index);

}  // namespace stepmark
