// SPDX-License-Identifier: Apache-2.0
// When a table is too wide, its widest text columns give way, shortened in the middle, where ids
// differ least; numbers are never cut. Control characters become blanks.
#include "results/views/table/text_table.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/utf8.h"

namespace stepmark {

namespace {

// Byte length of the code point at text[i]; 1 for an invalid or cut-off sequence.
std::size_t sequence_length(std::string_view text, std::size_t i) {
  const auto lead = static_cast<unsigned char>(text[i]);
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (lead >= 0xF8 || i + length > text.size()) {
    return 1;
  }
  for (std::size_t k = 1; k < length; ++k) {
    if ((static_cast<unsigned char>(text[i + k]) & 0xC0U) != 0x80U) {
      return 1;
    }
  }
  return length;
}

std::vector<std::string> code_points(std::string_view raw) {
  const std::string text = valid_utf8(raw);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < text.size();) {
    const auto length = sequence_length(text, i);
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool control = length == 1 && (byte < 0x20 || byte == 0x7F);
    // U+0080..U+009F: control characters in two bytes.
    const bool control_c1 =
        length == 2 && byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    out.emplace_back(control || control_c1 ? " " : text.substr(i, length));
    i += length;
  }
  return out;
}

std::string joined(const std::vector<std::string>& points, std::size_t from, std::size_t to) {
  return std::accumulate(points.begin() + static_cast<std::ptrdiff_t>(from),
                         points.begin() + static_cast<std::ptrdiff_t>(to), std::string{});
}

std::string padded(std::string_view cell, std::size_t width, Align align) {
  auto text = fit(cell, width);
  text.insert(align == Align::left ? text.size() : 0, width - display_width(text), ' ');
  return text;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size(); i += sequence_length(text, i)) {
    ++width;
  }
  return width;
}

std::string fit(std::string_view text, std::size_t width) {
  const auto points = code_points(text);
  if (points.size() <= width) {
    return joined(points, 0, points.size());
  }
  if (width == 0) {
    return {};
  }
  const auto head = width / 2;
  const auto tail = width - 1 - head;
  return fmt::format("{}…{}", joined(points, 0, head),
                     joined(points, points.size() - tail, points.size()));
}

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

void TextTable::add(std::vector<std::string> cells) {
  STEPMARK_CHECK(cells.size() == columns_.size(), "{} cells for {} columns", cells.size(),
                 columns_.size());
  for (std::string& cell : cells) cell = valid_utf8(cell);
  rows_.push_back(std::move(cells));
}

std::string TextTable::text(std::size_t width) const {
  constexpr std::size_t kGap = 2;
  constexpr std::size_t kNarrowest = 8;
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    auto widest = display_width(columns_[c].title);
    for (const auto& row : rows_) {
      widest = std::max(widest, display_width(row[c]));
    }
    widths.push_back(widest);
  }
  auto total = std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  while (total > width) {
    std::size_t giving = columns_.size();
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].align == Align::left && widths[c] > kNarrowest &&
          (giving == columns_.size() || widths[c] > widths[giving])) {
        giving = c;
      }
    }
    if (giving == columns_.size()) {
      break;
    }
    --widths[giving];
    --total;
  }
  std::string out;
  const auto add_line = [&](auto&& cell_of) {
    std::string line;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      line.append(c > 0 ? kGap : 0, ' ');
      line += padded(cell_of(c), widths[c], columns_[c].align);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line;
    out.push_back('\n');
  };
  add_line([&](std::size_t c) { return columns_[c].title; });
  for (const auto& row : rows_) {
    add_line([&](std::size_t c) { return row[c]; });
  }
  return out;
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  const auto points = code_points(text);
  std::string out;
  std::string line;
  std::size_t line_width = 0;
  std::string word;
  std::size_t word_width = 0;
  const auto flush = [&] {
    if (word_width == 0) {
      return;
    }
    if (line_width > indent && line_width + 1 + word_width > width) {
      out += line;
      out.push_back('\n');
      line.assign(indent, ' ');
      line_width = indent;
    } else if (line_width > indent || (out.empty() && line_width > 0)) {
      line += ' ';
      ++line_width;
    }
    const auto shown = fit(word, width - line_width);
    line += shown;
    line_width += display_width(shown);
    word.clear();
    word_width = 0;
  };
  for (const auto& point : points) {
    if (point == " ") {
      flush();
    } else {
      word += point;
      ++word_width;
    }
  }
  flush();
  out += line;
  out.push_back('\n');
  return out;
}

}  // namespace stepmark
