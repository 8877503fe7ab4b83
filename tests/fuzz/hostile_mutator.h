// SPDX-License-Identifier: Apache-2.0
// Mutations that bytes flipped one by one do not find: depth (one opening token many times), length
// (one character many times) and magnitude (a number replaced by one at the edge of a type). To be
// called from LLVMFuzzerCustomMutator; half of the mutations stay libFuzzer's own.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace stepmark::fuzz {

inline constexpr std::array<std::string_view, 14> kNumbers{"0",
                                                           "-1",
                                                           "2147483647",
                                                           "2147483648",
                                                           "4294967296",
                                                           "1048577",
                                                           "281474976710657",
                                                           "9223372036854775807",
                                                           "18446744073709551616",
                                                           "1e308",
                                                           "1e-320",
                                                           "-9223372036854775808",
                                                           "0.1e9999",
                                                           "99999999999999999999999999"};

// Replaces the first run of digits from `from` on.
inline void change_number(std::string& text, std::size_t from, std::string_view number) {
  const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  const auto begin =
      std::find_if(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), digit);
  text.replace(begin, std::find_if_not(begin, text.end(), digit), number);
}

inline std::string repeated(std::string_view piece, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += piece;
  return out;
}

inline std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t max_size,
                          unsigned int seed, std::span<const std::string_view> openings) {
  std::minstd_rand random(seed);
  const auto draw = [&](std::size_t bound) { return bound == 0 ? 0 : random() % bound; };
  if (draw(2) == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t at = draw(size + 1);
  const std::size_t count = std::size_t{1} << draw(17);
  switch (draw(3)) {
    case 0:
      text.insert(at, repeated(openings[draw(openings.size())], count));
      break;
    case 1:
      text.insert(at, std::string(count, static_cast<char>('!' + draw(90))));
      break;
    default:
      change_number(text, at, kNumbers[draw(kNumbers.size())]);
  }
  text.resize(std::min(text.size(), max_size));
  std::memcpy(data, text.data(), text.size());
  return text.size();
}

}  // namespace stepmark::fuzz
