// SPDX-License-Identifier: Apache-2.0
// The longest run of characters that an address can have is asked of inet_pton; text around it
// decides whether it is one. A version of four parts looks like IPv4 and is replaced too, unless a
// "v" stands before it: too much is better than too little.
#include "results/seal/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string>

namespace stepmark {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_ip(int family, std::string_view text) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(family, std::string(text).c_str(), bytes.data()) == 1;
}

bool says_nothing(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("255.") || address == "0.0.0.0" ||
         address == "::" || address == "::1";
}

// Groups of so many hexadecimal digits each, between colons: MAC 6 x 2, GUID 8 x 2 or 4 x 4, IPoIB
// 20 x 2.
bool is_hardware_address(std::string_view text) {
  const auto shaped = [&](std::size_t groups, std::size_t digits) {
    if (text.size() != groups * (digits + 1) - 1) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool colon = i % (digits + 1) == digits;
      if (colon ? text[i] != ':' : !is_hex(text[i])) return false;
    }
    return true;
  };
  return shaped(6, 2) || shaped(8, 2) || shaped(20, 2) || shaped(4, 4);
}

template <class Part>
std::string_view run_at(std::string_view text, std::size_t at, Part part) {
  auto end = at;
  while (end < text.size() && end - at < 64 && part(text[end])) ++end;
  return text.substr(at, end - at);
}

// "10.0.0.1." at the end of a sentence, "10.0.0.1:" before a port.
template <class Is>
std::size_t without_ending(std::string_view run, std::string_view text, std::size_t at, Is is) {
  for (std::size_t size = run.size(); size > 1; --size) {
    const bool ends = at + size == text.size() || !is_alphanumeric(text[at + size]);
    if (ends && is(run.substr(0, size))) return says_nothing(run.substr(0, size)) ? 0 : size;
    if (run[size - 1] != '.' && run[size - 1] != ':') break;
  }
  return 0;
}

}  // namespace

std::size_t address_at(std::string_view text, std::size_t at) {
  const char before = at == 0 ? ' ' : text[at - 1];
  if (is_alphanumeric(before) || before == ':' || before == '.') return 0;
  if (!is_hex(text[at]) && text[at] != ':') return 0;
  const auto colons = run_at(text, at, [](char c) { return is_hex(c) || c == ':' || c == '.'; });
  if (std::count(colons.begin(), colons.end(), ':') >= 2) {
    const auto size = without_ending(colons, text, at, [](std::string_view part) {
      return is_ip(AF_INET6, part) || is_hardware_address(part);
    });
    if (size > 0) return size;
  }
  const auto dots = run_at(text, at, [](char c) { return is_digit(c) || c == '.'; });
  return without_ending(dots, text, at, [](std::string_view part) { return is_ip(AF_INET, part); });
}

}  // namespace stepmark
