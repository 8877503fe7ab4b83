// SPDX-License-Identifier: Apache-2.0
// Aligned columns for a terminal. Widths are counted in code points, not bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

inline constexpr std::size_t kTableWidth = 100;

enum class Align { left, right };

// Code points of UTF-8 text; invalid bytes count one each.
[[nodiscard]] std::size_t display_width(std::string_view text);
// Text of at most `width` code points; what is too long is cut in the middle ("abc…xyz"). Control
// characters become spaces, so that a journal cannot steer the terminal.
[[nodiscard]] std::string fit(std::string_view text, std::size_t width);

class TextTable {
 public:
  struct Column {
    std::string title;
    Align align = Align::right;
  };
  explicit TextTable(std::vector<Column> columns);
  // As many cells as columns.
  void add(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // Lines end in '\n', no trailing blanks. The widest left-aligned column gives way until the table
  // fits `width`.
  [[nodiscard]] std::string text(std::size_t width = kTableWidth) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Paragraph broken at blanks, each line at most `width` code points, continuation lines indented.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t indent,
                                  std::size_t width = kTableWidth);

}  // namespace stepmark
