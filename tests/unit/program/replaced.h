// SPDX-License-Identifier: Apache-2.0
// Variants of a program's text. A text to replace that is not there is a mistake of the test.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace stepmark {

inline std::string replace_first(std::string_view text, std::string_view from,
                                 std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string_view::npos) << from;
  if (at == std::string_view::npos) return std::string(text);
  std::string result(text.substr(0, at));
  result.append(to).append(text.substr(at + from.size()));
  return result;
}

inline std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  EXPECT_NE(text.find(from), std::string_view::npos) << from;
  std::string result;
  for (std::size_t at; (at = text.find(from)) != std::string_view::npos;) {
    result.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
  }
  return result.append(text);
}

}  // namespace stepmark
