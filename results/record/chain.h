// SPDX-License-Identifier: Apache-2.0
// The running hash of a journal. Every line ends in `,"chain":"HASH"}`; HASH is BLAKE2b-256, in
// lower-case hexadecimal digits, of the HASH of the line before (nothing for the first line)
// followed by the bytes of this line before `,"chain"`. A changed, removed, inserted or reordered
// line no longer fits. It finds damage; it is no signature: whoever writes can write all of it.
// Internal to results/record, for people in docs/file-formats.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stepmark {

inline constexpr std::size_t kChainDigits = 64;

// `previous`: the hash of the line before, empty for the first.
[[nodiscard]] std::string chain_hash(std::string_view previous, std::string_view body);

// The line of a compact JSON object ("{...}" with at least one key), without line break, and
// `previous` moved on to its hash.
[[nodiscard]] std::string chained_line(std::string_view object, std::string& previous);

struct ChainedLine {
  std::string_view body;  // what the hash covers beside the hash before
  std::string_view hash;
};
// Nothing when the line does not end in a hash. Every byte of the ending is checked.
[[nodiscard]] std::optional<ChainedLine> split_chained(std::string_view line);

}  // namespace stepmark
