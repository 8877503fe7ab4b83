// SPDX-License-Identifier: Apache-2.0
#include "results/record/json_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/record/environment.h"
#include "results/record/journal_lines.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

TEST(JsonText, BadBytesAreShownInKeysAndValues) {
  const nlohmann::json json = {{"k\xfc", {"v\xff", 1, nullptr, {{"deep", "\xed\xa0\x80"}}}}};
  EXPECT_EQ(json_text(json), R"({"k\\xfc":["v\\xff",1,null,{"deep":"\\xed\\xa0\\x80"}]})");
  EXPECT_EQ(nlohmann::json::parse(json_text(json))["k\\xfc"][0], "v\\xff");
}

TEST(JsonText, GoodTextIsUntouched) {
  const nlohmann::json json = {{"M\xc3\xbcller", "a\tb\\"}};
  EXPECT_EQ(json_text(json), json.dump());
  EXPECT_EQ(json_text(json, {.indent = 2, .ascii_only = true}), json.dump(2, ' ', true));
}

TEST(JsonText, JournalLinesShowWhatWasThere) {
  EXPECT_THAT(compact({{"type", "end"}, {"reason", "rank on h\xf6st"}}),
              testing::HasSubstr(R"(h\\xf6st)"));
}

TEST(EnvironmentText, FactsSayThatTheyWereNotUtf8) {
  Environment environment{{{"variables", "NCCL_DEBUG_FILE", "x\xfclog"},
                           {"variables", "NCCL_ALGO", "Ring"},
                           {"hardware", "GPU", "\xffX"}}};
  EXPECT_THAT(make_valid(environment), testing::ElementsAre("NCCL_DEBUG_FILE", "GPU"));
  EXPECT_EQ(environment.get("variables", "NCCL_DEBUG_FILE"),
            "x\\xfclog (not UTF-8: shown escaped)");
  EXPECT_EQ(environment.get("variables", "NCCL_ALGO"), "Ring");
  EXPECT_TRUE(make_valid(environment).empty());
}

TEST(TextTables, BadBytesAreShown) {
  TextTable table({{"name", Align::left}});
  table.add({"h\xf6st"});
  EXPECT_THAT(table.text(), testing::HasSubstr("h\\xf6st"));
  EXPECT_EQ(wrapped("a h\xf6st", 2), "a h\\xf6st\n");
}

}  // namespace
}  // namespace stepmark
