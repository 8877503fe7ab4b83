// SPDX-License-Identifier: Apache-2.0
// Lines without the prefixes of launchers, words, and numbers with the width of their last digit.
#include "results/import/text_lines.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace stepmark {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kDigits = "0123456789";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "[1,0]<std...>:", "[prterun-host-7@1,0]<stderr>: ".
std::string_view without_mpirun_tag(std::string_view line) {
  if (!line.starts_with('[')) return line;
  constexpr std::string_view kLead = "]<std";
  const auto end = line.find(kLead);
  if (end == std::string_view::npos) return line;
  const std::string_view rest = line.substr(end + kLead.size());
  return rest.starts_with("out>:") || rest.starts_with("err>:") ? rest.substr(5) : line;
}

// "0: ", with the rank aligned by blanks in front.
std::string_view without_srun_label(std::string_view line) {
  const auto begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos || !is_digit(line[begin])) return line;
  const auto end = line.find_first_not_of(kDigits, begin);
  if (end == std::string_view::npos || !line.substr(end).starts_with(": ")) return line;
  return line.substr(end + 2);
}

}  // namespace

std::vector<TextLine> text_lines(std::string_view content) {
  std::vector<TextLine> lines;
  while (!content.empty()) {
    const auto end = content.find('\n');
    const bool whole = end != std::string_view::npos;
    std::string_view text = content.substr(0, end);
    content.remove_prefix(whole ? end + 1 : content.size());
    if (text.ends_with('\r')) text.remove_suffix(1);
    lines.push_back({.number = static_cast<int>(lines.size()) + 1,
                     .text = without_srun_label(without_mpirun_tag(text)),
                     .whole = whole});
  }
  return lines;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const auto begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    const auto end = std::min(text.find_first_of(kBlanks), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

std::vector<std::string_view> wide_cells(std::string_view text) {
  std::vector<std::string_view> cells;
  text = trimmed(text);
  while (!text.empty()) {
    const auto end = std::min({text.find("  "), text.find('\t'), text.size()});
    cells.push_back(trimmed(text.substr(0, end)));
    text = trimmed(text.substr(end));
  }
  return cells;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

std::optional<std::string_view> after(std::string_view text, std::string_view lead) {
  if (!text.starts_with(lead)) return std::nullopt;
  return text.substr(lead.size());
}

std::optional<PrintedNumber> printed_number(std::string_view text) {
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool plain = text.find_first_not_of("0123456789.eE+-") == std::string_view::npos;
  if (text.empty() || !plain || status != std::errc{} || end != text.data() + text.size() ||
      !std::isfinite(value) || value < 0 || text.starts_with('-')) {
    return std::nullopt;
  }
  const auto exponent_at = std::min(text.find_first_of("eE"), text.size());
  const auto point = text.substr(0, exponent_at).find('.');
  const double decimals =
      point == std::string_view::npos ? 0.0 : static_cast<double>(exponent_at - point - 1);
  double exponent = 0;
  if (exponent_at < text.size()) {
    auto digits = text.substr(exponent_at + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  }
  const double half_unit = 0.5 * std::pow(10.0, exponent - decimals);
  return PrintedNumber{.value = value, .half_unit = std::isfinite(half_unit) ? half_unit : 0.0};
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || status != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

PrintedNumber scaled(PrintedNumber number, double factor) {
  return {.value = number.value * factor, .half_unit = number.half_unit * factor};
}

}  // namespace stepmark
