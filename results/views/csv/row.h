// SPDX-License-Identifier: Apache-2.0
// A row of CSV by RFC 4180: CRLF line ends, quotes around fields that need them, quotes doubled.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <string_view>

#include "core/utf8.h"

namespace stepmark::csv {

[[nodiscard]] inline std::string quoted(std::string_view raw) {
  std::string field = valid_utf8(raw);
  if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
    return field;
  }
  std::string out(1, '"');
  for (const char c : field) {
    out.append(c == '"' ? 2 : 1, c);
  }
  out.push_back('"');
  return out;
}

// Shortest text that reads back as the same double; empty when undefined.
[[nodiscard]] inline std::string exact(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "";
}

class Row {
 public:
  Row& operator<<(std::string_view field) {
    if (!first_) {
      text_.push_back(',');
    }
    first_ = false;
    text_ += quoted(field);
    return *this;
  }
  [[nodiscard]] std::string line() const { return fmt::format("{}\r\n", text_); }

 private:
  std::string text_;
  bool first_ = true;
};

}  // namespace stepmark::csv
