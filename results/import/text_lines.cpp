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

constexpr std::size_t kLongestTag = 160;

// Colours of a terminal, at both ends: those of `script`, of pytest, of grep.
std::string_view without_colours(std::string_view line) {
  constexpr std::string_view kEscape = "\x1b[";
  const auto size_at = [&](std::size_t at) -> std::size_t {
    const auto end = line.find_first_not_of("0123456789;", at + kEscape.size());
    const bool whole = end != std::string_view::npos && (line[end] == 'm' || line[end] == 'K');
    return whole ? end + 1 - at : 0;
  };
  while (line.starts_with(kEscape)) {
    const auto size = size_at(0);
    if (size == 0) break;
    line.remove_prefix(size);
  }
  for (auto at = line.rfind(kEscape); at != std::string_view::npos; at = line.rfind(kEscape)) {
    if (size_at(at) != line.size() - at) break;
    line.remove_suffix(line.size() - at);
  }
  return line;
}

// Whether `line` begins like `shape`: '0' stands for a digit, 'a' for a letter, '_' for a digit or
// a blank; all else for itself.
bool has_shape(std::string_view line, std::string_view shape) {
  if (line.size() < shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const char c = line[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool fits = shape[i] == '0'   ? is_digit(c)
                      : shape[i] == '_' ? is_digit(c) || c == ' '
                      : shape[i] == 'a' ? letter
                                        : c == shape[i];
    if (!fits) return false;
  }
  return true;
}

// "2026-03-01T10:00:00.123456Z " of kubectl and docker, then "stdout F " of a container's file.
std::string_view without_time(std::string_view line) {
  if (!has_shape(line, "0000-00-00T00:00:00")) return line;
  const auto blank = line.find(' ');
  if (blank == std::string_view::npos || blank > kLongestTag) return line;
  line.remove_prefix(blank + 1);
  constexpr std::size_t kStream = std::string_view("std... F ").size();
  const bool stream = line.size() >= kStream && line.starts_with("std") &&
                      (line.substr(3, 4) == "out " || line.substr(3, 4) == "err ") &&
                      (line[7] == 'F' || line[7] == 'P') && line[8] == ' ';
  return stream ? line.substr(kStream) : line;
}

// "Mar  1 10:00:00 node17 slurmstepd[123]: " of syslog and journalctl.
std::string_view without_syslog(std::string_view line) {
  if (!has_shape(line, "aaa _0 00:00:00 ")) return line;
  const auto end = line.find("]: ");
  return end == std::string_view::npos || end > kLongestTag ? line : line.substr(end + 3);
}

// "[pod/launcher-x7/mpi] " of kubectl logs --prefix.
std::string_view without_pod(std::string_view line) {
  if (!line.starts_with("[pod/")) return line;
  const auto end = line.find("] ");
  return end == std::string_view::npos ? line : line.substr(end + 2);
}

// "[1,0]<stdout>:", "[prterun-host-7@1,0]<stderr>: ", with the time of --timestamp-output in front.
std::string_view without_mpirun_tag(std::string_view line) {
  constexpr std::string_view kLead = "<std";
  const auto at = line.find(kLead);
  if (at == std::string_view::npos || at > kLongestTag) return line;
  const std::string_view rest = line.substr(at + kLead.size());
  const bool tagged = line.starts_with('[') || has_shape(line, "aaa aaa _0 00:00:00 0000");
  if (tagged && (rest.starts_with("out>:") || rest.starts_with("err>:"))) return rest.substr(5);
  return line;
}

// "0: ", with the rank aligned by blanks in front.
std::string_view without_srun_label(std::string_view line) {
  const auto begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos || !is_digit(line[begin])) return line;
  const auto end = line.find_first_not_of(kDigits, begin);
  if (end == std::string_view::npos || !line.substr(end).starts_with(": ")) return line;
  return line.substr(end + 2);
}

std::string_view without_prefixes(std::string_view line) {
  line = without_pod(without_syslog(without_time(without_pod(without_colours(line)))));
  return without_srun_label(without_mpirun_tag(line));
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
                     .text = without_prefixes(text),
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
