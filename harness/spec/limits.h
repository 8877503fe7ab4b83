// SPDX-License-Identifier: Apache-2.0
// The most that a file or an option may ask for. Far beyond any machine or model that exists, and
// low enough that every product of what is accepted is exact in 64 bits and that no input makes the
// program run out of memory or time before it can say what is wrong.
#pragma once

#include <cstdint>

namespace stepmark {

inline constexpr std::int64_t kMaxRanks = std::int64_t{1} << 20;
inline constexpr std::int64_t kMaxMicroBatch = std::int64_t{1} << 20;
inline constexpr std::int64_t kMaxSequence = std::int64_t{1} << 30;
inline constexpr std::int64_t kMaxLayers = std::int64_t{1} << 16;
inline constexpr std::int64_t kMaxTokenChunks = 64;
// Micro-steps x layers of a step: its program has about 20 ops for each, all of which are kept.
inline constexpr std::int64_t kMaxLayerPasses = std::int64_t{1} << 16;
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;  // of a buffer
inline constexpr double kMaxStepTokens = 0x1p36;
inline constexpr double kMaxBytesPerRank = 0x1p60;
inline constexpr double kMaxBucketMib = 1e6;
inline constexpr double kMaxSeconds = 30.0 * 86400.0;  // of budgets and deadlines

}  // namespace stepmark
