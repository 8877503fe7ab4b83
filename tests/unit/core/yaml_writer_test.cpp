// SPDX-License-Identifier: Apache-2.0
// What is written is read back as it was, whatever is in it.
#include "core/yaml_writer.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/yaml.h"

namespace stepmark {
namespace {

TEST(YamlWriter, WhatIsWrittenReadsBack) {
  const std::string hostile = "a: b\n- c: \"d\" # e\ttab '{[";
  YamlWriter out;
  out.text("plain", "words of text")
      .text("hostile", hostile)
      .text("number-like", "12")
      .flag("on", true);
  out.begin("inner").number("count", std::int64_t{-3}).number("value", 0.25).end();
  out.texts("list", {"x", "y: z"}).texts("none", {}).numbers("numbers", {1, 2.5});
  const std::string text = out.finish();
  YamlMap map = YamlDocument::read_text(text, "t.yaml").map();
  EXPECT_EQ(map.required_string("plain"), "words of text");
  EXPECT_EQ(map.required_string("hostile"), hostile);
  EXPECT_EQ(map.required_string("number-like"), "12");
  EXPECT_TRUE(map.optional_bool("on", false));
  YamlMap inner = map.required_map("inner");
  EXPECT_EQ(inner.required_int("count"), -3);
  EXPECT_EQ(inner.required_double("value"), 0.25);
  EXPECT_EQ(map.optional_strings("list"), (std::vector<std::string>{"x", "y: z"}));
}

TEST(YamlWriter, WhatIsNotKnownIsNull) {
  YamlWriter out;
  out.text("nothing", "").number("nan", std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(out.finish(), "nothing: ~\nnan: ~\n");
}

}  // namespace
}  // namespace stepmark
