// SPDX-License-Identifier: Apache-2.0
// Well-formed sequences as in table 3-7 of the Unicode Standard; every other byte, and control
// characters where they would reach a terminal, becomes \xNN.
#include "core/utf8.h"

#include <fmt/format.h>

namespace stepmark {
namespace {

unsigned byte_at(std::string_view text, std::size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
}

bool within(unsigned byte, unsigned low, unsigned high) { return byte >= low && byte <= high; }

// Length of the well-formed sequence at text[i], 0 where there is none: table 3-7 of the Unicode
// Standard. Only the second byte has bounds that depend on the first.
std::size_t sequence_at(std::string_view text, std::size_t i) {
  const unsigned lead = byte_at(text, i);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  unsigned low = 0x80;
  unsigned high = 0xBF;
  if (within(lead, 0xC2, 0xDF)) {
    length = 2;
  } else if (within(lead, 0xE0, 0xEF)) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (within(lead, 0xF0, 0xF4)) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (!within(byte_at(text, i + 1), low, high)) return 0;
  for (std::size_t k = 2; k < length; ++k) {
    if (!within(byte_at(text, i + k), 0x80, 0xBF)) return 0;
  }
  return length;
}

bool always(std::string_view) { return true; }

bool is_printable_in_line(std::string_view sequence) {
  const unsigned first = byte_at(sequence, 0);
  if (sequence.size() == 1) return first >= 0x20 && first != 0x7F;
  return !(first == 0xC2 && byte_at(sequence, 1) < 0xA0);  // U+0080 to U+009F
}

bool is_printable(std::string_view sequence) {
  return sequence == "\n" || sequence == "\t" || is_printable_in_line(sequence);
}

template <class Keep>
std::string escaped(std::string_view text, Keep keep, bool* changed) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = sequence_at(text, i);
    const std::string_view sequence = text.substr(i, length == 0 ? 1 : length);
    if (length > 0 && keep(sequence)) {
      out += sequence;
    } else {
      for (const char c : sequence) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      if (changed != nullptr) *changed = true;
    }
    i += sequence.size();
  }
  return out;
}

}  // namespace

std::string valid_utf8(std::string_view text, bool* changed) {
  return escaped(text, always, changed);
}

std::string printable(std::string_view text, bool* changed) {
  return escaped(text, is_printable, changed);
}

std::string printable_line(std::string_view text, bool* changed) {
  return escaped(text, is_printable_in_line, changed);
}

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = sequence_at(text, i);
    if (length == 0) return i;
    i += length;
  }
  return std::nullopt;
}

}  // namespace stepmark
