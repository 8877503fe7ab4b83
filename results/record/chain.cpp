// SPDX-License-Identifier: Apache-2.0
// BLAKE2b by libsodium. The hash is cut off as text from the end of the line, not parsed as JSON:
// the bytes that are hashed are those in the file.
#include "results/record/chain.h"

#include <fmt/format.h>
#include <sodium.h>

#include <array>

#include "core/error.h"

namespace stepmark {

namespace {

constexpr std::string_view kKey = ",\"chain\":\"";
constexpr std::string_view kEnd = "\"}";
constexpr std::size_t kEnding = kKey.size() + kChainDigits + kEnd.size();
constexpr std::size_t kHashBytes = kChainDigits / 2;
static_assert(kHashBytes == crypto_generichash_BYTES);

void update(crypto_generichash_state& state, std::string_view bytes) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the library takes bytes
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  STEPMARK_CHECK(crypto_generichash_update(&state, data, bytes.size()) == 0, "libsodium: update");
}

}  // namespace

std::string chain_hash(std::string_view previous, std::string_view body) {
  STEPMARK_CHECK(sodium_init() >= 0, "libsodium cannot start");
  crypto_generichash_state state;
  STEPMARK_CHECK(crypto_generichash_init(&state, nullptr, 0, kHashBytes) == 0, "libsodium: init");
  update(state, previous);
  update(state, body);
  std::array<unsigned char, kHashBytes> hash{};
  STEPMARK_CHECK(crypto_generichash_final(&state, hash.data(), hash.size()) == 0,
                 "libsodium: final");
  std::array<char, kChainDigits + 1> text{};
  sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
  return {text.data(), kChainDigits};
}

std::string chained_line(std::string_view object, std::string& previous) {
  STEPMARK_CHECK(object.size() > 2 && object.back() == '}', "not an object with keys");
  object.remove_suffix(1);
  previous = chain_hash(previous, object);
  return fmt::format("{}{}{}{}", object, kKey, previous, kEnd);
}

std::optional<ChainedLine> split_chained(std::string_view line) {
  if (line.size() <= kEnding) {
    return std::nullopt;
  }
  const auto ending = line.substr(line.size() - kEnding);
  const auto hash = ending.substr(kKey.size(), kChainDigits);
  const bool shaped = ending.starts_with(kKey) && ending.ends_with(kEnd) &&
                      hash.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return shaped ? std::optional(
                      ChainedLine{.body = line.substr(0, line.size() - kEnding), .hash = hash})
                : std::nullopt;
}

}  // namespace stepmark
