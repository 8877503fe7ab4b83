// SPDX-License-Identifier: Apache-2.0
// What a journal can hold at most. Far above what a run writes; a file beyond is refused with a
// message instead of taking the memory or the stack of whoever reads it.
#pragma once

#include <cstddef>

namespace stepmark {

inline constexpr std::size_t kMaxLineBytes = std::size_t{1} << 30U;  // a case with its samples
inline constexpr std::size_t kMaxJournalBytes = std::size_t{1} << 34U;
inline constexpr std::size_t kMaxLines = 1'000'000;
inline constexpr std::size_t kMaxCases = 100'000;
inline constexpr int kMaxJsonDepth = 64;  // objects and arrays inside each other

}  // namespace stepmark
