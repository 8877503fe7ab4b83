// SPDX-License-Identifier: Apache-2.0
// What two parties agreed on, or reckon with, as files of a bundle: terms, prices, a mix. Nothing
// here can be made again from samples, so that a manifest holds a hash of every line of them: a
// changed byte is found in its line.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

enum class AgreedKind : std::uint8_t { terms, prices, mix };
[[nodiscard]] std::string_view name_of(AgreedKind kind);
[[nodiscard]] std::optional<AgreedKind> agreed_kind(std::string_view name);
[[nodiscard]] std::span<const AgreedKind> agreed_kinds();
// "agreed/terms.yaml".
[[nodiscard]] std::string agreed_file(AgreedKind kind);

// Of each line with its break: the first 16 hexadecimal digits of its SHA-256. They say where;
// that the file is the signed one says its whole hash.
[[nodiscard]] std::vector<std::string> line_hashes(std::string_view content);

struct LinePlace {
  std::int64_t line = 0;           // from 1
  std::size_t begin = 0, end = 0;  // of the content, its break included
};
// The first line that is not as it was, or that is missing (then where the content ends); nothing
// where all are.
[[nodiscard]] std::optional<LinePlace> first_other_line(std::string_view content,
                                                        std::span<const std::string> hashes);

}  // namespace stepmark
