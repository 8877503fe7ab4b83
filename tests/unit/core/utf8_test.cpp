// SPDX-License-Identifier: Apache-2.0
#include "core/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stepmark {
namespace {

struct Changed {
  std::string text;
  bool changed;
};

Changed valid(std::string_view text) {
  bool changed = false;
  std::string out = valid_utf8(text, &changed);
  return {std::move(out), changed};
}

TEST(ValidUtf8, WellFormedTextStaysAsItIs) {
  for (const std::string_view text :
       {"", "plain", "M\xc3\xbcller", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf",
        "\xed\x9f\xbf\xee\x80\x80", "a\tb\nc", "back\\slash", "\x1b[31m"}) {
    EXPECT_EQ(valid(text).text, text);
    EXPECT_FALSE(valid(text).changed) << text;
    EXPECT_EQ(first_invalid_utf8(text), std::nullopt) << text;
  }
  EXPECT_EQ(valid(std::string_view("a\0b", 3)).text.size(), 3U);
}

TEST(ValidUtf8, EveryByteThatIsNotIsShown) {
  const std::vector<std::pair<std::string, std::string>> kCases{
      {"x\xfclog", "x\\xfclog"},                     // Latin-1
      {"\xc0\xaf", "\\xc0\\xaf"},                    // overlong '/'
      {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},           // overlong, three bytes
      {"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"},  // overlong, four bytes
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // above U+10FFFF
      {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
      {"\x80", "\\x80"},                          // continuation alone
      {"\xe2\x82", "\\xe2\\x82"},                 // cut off at the end
      {"\xe2\x82z", "\\xe2\\x82z"},               // cut off within
      {"\xe2\xe2\x82\xac", "\\xe2\xe2\x82\xac"},  // the next one is whole
      {"\xff\xfe", "\\xff\\xfe"}};
  for (const auto& [bytes, shown] : kCases) {
    EXPECT_EQ(valid(bytes).text, shown);
    EXPECT_TRUE(valid(bytes).changed) << shown;
    EXPECT_TRUE(first_invalid_utf8(bytes).has_value()) << shown;
  }
  EXPECT_EQ(first_invalid_utf8("ab\xfc"), 2U);
}

// The JSON library refuses exactly what is not UTF-8, in code of its own.
TEST(ValidUtf8, AgreesWithTheJsonWriterOnAllShortTexts) {
  const auto accepted = [](const std::string& text) {
    try {
      static_cast<void>(nlohmann::json(text).dump());
      return true;
    } catch (const nlohmann::json::exception&) {
      return false;
    }
  };
  const auto check = [&](const std::string& text) {
    ASSERT_EQ(!first_invalid_utf8(text), accepted(text)) << valid_utf8(text);
    ASSERT_TRUE(accepted(valid_utf8(text)));
  };
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string two{static_cast<char>(a), static_cast<char>(b)};
      check(two);
      if (a >= 0xE0 && (b % 16 == 0 || b % 16 == 15)) {
        for (const char* tail : {"\x80", "\xbf\xbf", "\x80z", "\xc0\x80"}) check(two + tail);
      }
    }
  }
}

TEST(Printable, NoControlCharacterReachesATerminal) {
  EXPECT_EQ(printable("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J"),
            "\\xc2\\x9b2J");  // CSI as one C1 character
  EXPECT_EQ(printable("del\x7f"), "del\\x7f");
  EXPECT_EQ(printable("two\nlines\tand \xc2\xa0"), "two\nlines\tand \xc2\xa0");
  EXPECT_EQ(printable_line("two\nlines\t"), "two\\x0alines\\x09");
  bool changed = false;
  EXPECT_EQ(printable_line("M\xc3\xbcller", &changed), "M\xc3\xbcller");
  EXPECT_FALSE(changed);
  EXPECT_EQ(printable("a\xfc", &changed), "a\\xfc");
  EXPECT_TRUE(changed);
}

}  // namespace
}  // namespace stepmark
