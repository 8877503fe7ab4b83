// SPDX-License-Identifier: Apache-2.0
// Lines end at "\n"; what stands behind the last one is a line too.
#include "results/seal/agreed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "results/seal/bytes.h"

namespace stepmark {

namespace {

constexpr std::array<AgreedKind, 3> kKinds{AgreedKind::terms, AgreedKind::prices, AgreedKind::mix};
constexpr std::size_t kHashDigits = 16;

// The end of the line that begins at `begin`: behind its break, or that of the content.
std::size_t line_end(std::string_view content, std::size_t begin) {
  const auto end = content.find('\n', begin);
  return end == std::string_view::npos ? content.size() : end + 1;
}

// The break is hashed too, or one that was changed would make two lines of nobody.
std::string line_hash(std::string_view line) { return sha256(line).substr(0, kHashDigits); }

}  // namespace

std::string_view name_of(AgreedKind kind) {
  constexpr std::array<std::string_view, 3> kNames{"terms", "prices", "mix"};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::optional<AgreedKind> agreed_kind(std::string_view name) {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(),
                                  [&](AgreedKind kind) { return name_of(kind) == name; });
  return found == kKinds.end() ? std::nullopt : std::optional(*found);
}

std::span<const AgreedKind> agreed_kinds() { return kKinds; }

std::string agreed_file(AgreedKind kind) { return fmt::format("agreed/{}.yaml", name_of(kind)); }

std::vector<std::string> line_hashes(std::string_view content) {
  std::vector<std::string> hashes;
  for (std::size_t at = 0; at < content.size();) {
    const auto end = line_end(content, at);
    hashes.push_back(line_hash(content.substr(at, end - at)));
    at = end;
  }
  return hashes;
}

std::optional<LinePlace> first_other_line(std::string_view content,
                                          std::span<const std::string> hashes) {
  std::size_t at = 0;
  std::int64_t number = 0;
  for (const auto& hash : hashes) {
    ++number;
    const auto end = line_end(content, at);
    if (at == content.size() || line_hash(content.substr(at, end - at)) != hash) {
      return LinePlace{.line = number, .begin = at, .end = end};
    }
    at = end;
  }
  return at == content.size()
             ? std::nullopt
             : std::optional(LinePlace{.line = number + 1, .begin = at, .end = content.size()});
}

}  // namespace stepmark
