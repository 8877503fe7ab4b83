// SPDX-License-Identifier: Apache-2.0
#include "harness/program/timeline/trace.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "tests/unit/exec/programs.h"

namespace stepmark {
namespace {

TEST(TraceTest, IsOneJsonDocumentWithNamesAndSpansOfAllRanks) {
  std::vector<std::string> ranks;
  for (std::int32_t rank = 0; rank < 2; ++rank) {
    Program p = test::program_of({"compute", "dp \"quoted\""}, {test::buffer("a", 1)});
    p.rank = rank;
    test::add_comm(p, "first", 0, 0, 0);
    test::add_comm(p, "second \\ \"x\"", 1, 0, 0, {0});
    p.ops[1].phase = Phase::gradient_sync;
    const Timeline timeline{.step_ns = 3500,
                            .spans = {{.op = 0, .begin_ns = 500, .end_ns = 1500},
                                      {.op = 1, .begin_ns = 2000, .end_ns = 3500, .wait_ns = 250}}};
    ranks.push_back(chrome_trace_events(p, timeline));
  }
  const auto document = nlohmann::json::parse(chrome_trace_document(ranks));
  std::map<std::string, int> kinds;
  for (const auto& event : document.at("traceEvents")) {
    ++kinds[event.at("ph").get<std::string>() + event.at("name").get<std::string>()];
    EXPECT_TRUE(event.at("pid") == 0 || event.at("pid") == 1);
    if (event.at("name") == "second \\ \"x\"") {
      EXPECT_EQ(event.at("ph"), "X");
      EXPECT_EQ(event.at("tid"), 1);
      EXPECT_EQ(event.at("cat"), "gradient_sync");
      EXPECT_DOUBLE_EQ(event.at("ts"), 2.0);
      EXPECT_DOUBLE_EQ(event.at("dur"), 1.5);
      EXPECT_DOUBLE_EQ(event.at("args").at("wait_us"), 0.25);
    }
  }
  EXPECT_EQ(kinds["Xfirst"], 2);
  EXPECT_EQ(kinds["Xsecond \\ \"x\""], 2);
  EXPECT_EQ(kinds["Mprocess_name"], 2);
  EXPECT_EQ(kinds["Mthread_name"], 4);
}

TEST(TraceTest, NoRanksIsAnEmptyDocument) {
  EXPECT_TRUE(nlohmann::json::parse(chrome_trace_document({})).at("traceEvents").empty());
}

}  // namespace
}  // namespace stepmark
