// SPDX-License-Identifier: Apache-2.0
// What the page shows beside the runs, as the JSON that its scripts draw: hashes, owners, a
// history, and what a page of many runs leaves out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "results/families/derive.h"
#include "results/history/check.h"
#include "results/history/notes.h"
#include "results/record/journal_lines.h"
#include "results/views/report/history_data.h"
#include "results/views/report/report.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

nlohmann::json data_of(const std::string& html) {
  const std::string open = "id=\"data\">";
  const auto begin = html.find(open) + open.size();
  return nlohmann::json::parse(html.substr(begin, html.find("</script>", begin) - begin));
}

TEST(Page, ARunHasTheLastHashOfItsChain) {
  const auto lines = synthetic::lines_of(synthetic::run({.seed = 1, .name = "a"}));
  const std::string text = synthetic::chained(lines);
  const stepmark::Run run = parse_lines(text, "a.smk", derive);
  const auto page = data_of(report_html(std::vector{run}));
  const auto& evidence = page["runs"][0]["evidence"];
  EXPECT_EQ(evidence["lines"], lines.size());
  EXPECT_EQ(evidence["bytes"], text.size());
  EXPECT_EQ(evidence["integrity"], "intact");
  const std::string chain = evidence["chain"];
  EXPECT_THAT(chain, SizeIs(64));
  EXPECT_TRUE(text.ends_with(chain + "\"}\n"));
  EXPECT_FALSE(evidence.contains("signatures"));  // nobody said anything of them
  // Without hashes there is none, and the page says so.
  const stepmark::Run old = parse_lines(synthetic::unchained(lines), "a.smk", derive);
  EXPECT_EQ(data_of(report_html(std::vector{old}))["runs"][0]["evidence"]["chain"], "");
  // What is known of the file stands beside it, run by run.
  PageParts parts;
  parts.evidence = {{{"sha256", "x"}, {"signatures", nlohmann::json::array()}, {"note", "n"}}};
  EXPECT_EQ(data_of(report_html(std::vector{run}, parts))["runs"][0]["evidence"]["sha256"], "x");
}

TEST(Page, ACutLineIsNotOfTheExtent) {
  const std::string text =
      synthetic::chained(synthetic::lines_of(synthetic::run({.seed = 1, .name = "a"})));
  const stepmark::Run whole = parse_lines(text, "a.smk", derive);
  const stepmark::Run cut = parse_lines(text.substr(0, text.size() - 9), "a.smk", derive);
  EXPECT_EQ(cut.extent.lines, whole.extent.lines - 1);
  EXPECT_LT(cut.extent.bytes, whole.extent.bytes);
  EXPECT_NE(cut.extent.chain, whole.extent.chain);
}

TEST(Page, OwnersAndLevelsAreGiven) {
  const std::vector runs{synthetic::run({.seed = 1, .name = "a"}),
                         synthetic::run({.seed = 2, .name = "b"})};
  const auto page = data_of(report_html(runs, {.owners = {"<i>north</i>", "south"}}));
  EXPECT_EQ(page["runs"][0]["owner"], "<i>north</i>");
  EXPECT_EQ(page["runs"][1]["owner"], "south");
  EXPECT_EQ(data_of(report_html(runs))["runs"][0]["owner"], "");
  int levels = 0;
  for (const auto& family : page["families"]) {
    for (const auto& curves : family["section"]["curves"]) {
      for (const auto& figure : curves["figures"])
        levels += static_cast<int>(figure["levels"].size());
    }
  }
  EXPECT_EQ(levels, 2);  // of scale-up and of scale-out links
}

TEST(Page, FewRunsKeepEverything) {
  const auto page = data_of(report_html(std::vector{synthetic::run({.seed = 1})}));
  EXPECT_THAT(page["left_out"], IsEmpty());
  EXPECT_FALSE(page["runs"][0]["records"][0]["series"].empty());
}

TEST(Page, ManyRunsStayBelowSixMebibytes) {
  std::vector<stepmark::Run> runs;
  for (std::uint64_t i = 0; i < 20; ++i) {
    runs.push_back(synthetic::run({.seed = i, .name = std::to_string(i), .count = 400}));
  }
  const std::string html = report_html(runs);
  EXPECT_LT(html.size(), std::size_t{6} << 20U);
  const auto page = data_of(html);
  ASSERT_FALSE(page["left_out"].empty());
  EXPECT_THAT(page["left_out"][0].get<std::string>(), HasSubstr("samples"));
  // Figures stay: to nine digits they are those of the runs.
  const auto& record = page["runs"][7]["records"][0];
  const Record& own = runs[7].records[0];
  EXPECT_EQ(record["case_id"], own.case_id);
  EXPECT_NEAR(record["summaries"][0]["median"].get<double>() / own.summaries[0].median, 1, 1e-8);
}

// Twenty nights, slower by a tenth from the twelfth on.
class PageHistory : public ::testing::Test {
 protected:
  PageHistory()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                ("stepmark_page_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    history_.emplace((folder_ / "h.db").string(), History::Open::create);
    for (std::uint64_t night = 0; night < 30; ++night) {
      stepmark::Run run = synthetic::run({.seed = 100 + night,
                                          .name = "n",
                                          .slowdown = night < 16 ? 1.0 : 1.1,
                                          .collectives = false,
                                          .kernels = false,
                                          .timeline = false});
      run.header.started = "2026-" + std::string(night < 20 ? "01-" : "02-") +
                           std::to_string(10 + night % 20) + "T02:00:00Z";
      run.hashed = true;
      static_cast<void>(history_->add(run, {.place = "<b>c</b>", .time = {}}));
    }
  }
  ~PageHistory() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::optional<History> history_;
};

TEST_F(PageHistory, SeriesHaveTheirChangesAndNotes) {
  static_cast<void>(annotate(*history_, "2026-01-26", "driver <img src=x>"));
  const auto data = history_data(*history_, check_history(*history_));
  ASSERT_EQ(data["lines"].size(), 1U);
  const auto& line = data["lines"][0];
  EXPECT_THAT(line["words"].get<std::string>(),
              HasSubstr("<b>c</b>"));  // escaped where it is shown
  EXPECT_EQ(line["runs"].size(), 30U);
  EXPECT_EQ(line["left_out"], 0);
  ASSERT_EQ(line["series"].size(), 2U);
  for (const auto& series : line["series"]) {
    EXPECT_EQ(series["points"].size(), 30U);
    ASSERT_EQ(series["changes"].size(), 1U) << series;
    const auto& change = series["changes"][0];
    EXPECT_EQ(change["run"], 16);
    EXPECT_NEAR(change["ratio"].get<double>(), 1.1, 0.02);
    EXPECT_EQ(change["state"], "alarm");
  }
  ASSERT_EQ(line["notes"].size(), 1U);
  EXPECT_EQ(line["notes"][0]["run"], 16);
  ASSERT_EQ(data["events"].size(), 1U);
  EXPECT_THAT(data["events"][0]["words"].get<std::string>(), HasSubstr("ALARM 1"));
  const std::vector runs{synthetic::run({.seed = 1})};
  EXPECT_EQ(data_of(report_html(runs, {.history = data}))["history"], data);
}

TEST_F(PageHistory, AnAcknowledgedAlarmIsNone) {
  static_cast<void>(check_history(*history_));
  static_cast<void>(acknowledge(*history_, {1}, "known"));
  const auto data = history_data(*history_, check_history(*history_));
  EXPECT_EQ(data["lines"][0]["series"][0]["changes"][0]["state"], "acknowledged");
}

}  // namespace
}  // namespace stepmark
