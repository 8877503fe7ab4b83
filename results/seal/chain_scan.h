// SPDX-License-Identifier: Apache-2.0
// The hashes of a journal as evidence, without mercy: every line must be whole, and the first that
// does not fit is named with its bytes. (Reading for people, parse_lines(), forgives a cut end.)
// Internal to results/seal.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace stepmark {

struct ChainBreak {
  std::int64_t line = 0;           // from 1
  std::size_t begin = 0, end = 0;  // of the line in the journal
  std::string what;
};

struct ChainScan {
  std::int64_t lines = 0;  // that fit
  std::string last_hash;   // of the last of them
  std::optional<ChainBreak> broken;
};

// `each` is called with every line that fits, without its break, and its number.
[[nodiscard]] ChainScan scan_chain(
    std::string_view content,
    const std::function<void(std::string_view line, std::int64_t number)>& each = {});

}  // namespace stepmark
