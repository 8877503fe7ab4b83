// SPDX-License-Identifier: Apache-2.0
// The page's text; how it looks and behaves is checked in tests/browser.
#include "results/views/report/report.h"
#include "results/views/table/beside_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string embedded_data(const std::string& html) {
  const std::string open = "id=\"data\">";
  const auto begin = html.find(open) + open.size();
  return html.substr(begin, html.find("</script>", begin) - begin);
}

TEST(Report, CarriesEverythingInside) {
  const auto run = synthetic::run({.seed = 1, .name = "a"});
  const auto html = report_html(std::vector{run});
  EXPECT_THAT(html, HasSubstr("<title>stepmark report</title>"));
  EXPECT_THAT(html, HasSubstr("Apache Software Foundation"));  // ECharts with its licence text
  EXPECT_THAT(html, Not(HasSubstr("{{css}}")));
  EXPECT_THAT(html, Not(HasSubstr("src=\"http")));
  const auto data = nlohmann::json::parse(embedded_data(html));
  ASSERT_EQ(data["runs"].size(), 1U);
  EXPECT_EQ(data["runs"][0]["label"], "a");
  EXPECT_EQ(data["runs"][0]["records"].size(), run.records.size());
  EXPECT_EQ(data["runs"][0]["counts"]["ok"], 36);
  EXPECT_EQ(data["runs"][0]["counts"]["asked"], 38);
}

TEST(Report, TextsCannotLeaveTheDataElement) {
  auto run = synthetic::run({.seed = 1, .hostile = true});
  run.records[0].reason = "{{scripts}}</script><script>x</script>";
  const auto html = report_html(std::vector{run});
  const auto data = embedded_data(html);
  EXPECT_THAT(data, Not(HasSubstr("<")));
  const auto json = nlohmann::json::parse(data);
  EXPECT_EQ(json["runs"][0]["records"][0]["reason"], run.records[0].reason);
}

TEST(Report, RunsOfOneFileNameAreToldApart) {
  auto a = synthetic::run({.seed = 1});
  auto b = a;
  auto c = a;
  a.path = "x/run.smk";
  b.path = "y/run.smk";
  c.path = "y/run.smk";
  const auto data = nlohmann::json::parse(embedded_data(report_html(std::vector{a, b, c})));
  EXPECT_EQ(data["runs"][0]["label"], "x/run.smk");
  EXPECT_EQ(data["runs"][1]["label"], "y/run.smk");
  EXPECT_EQ(data["runs"][2]["label"], "y/run.smk (2)");
}

TEST(Report, FiguresOfOthersStandBesideAndAreNoRuns) {
  const auto own = synthetic::run({.seed = 1});
  auto others = synthetic::run({.seed = 2, .kernels = false});
  others.beside = true;
  others.path = "published:x";
  auto& unlike = others.records.front();
  unlike.family = "collective";
  unlike.texts = {{"collective", "hypercube"}};
  const auto data = nlohmann::json::parse(embedded_data(report_html(std::vector{own, others})));
  ASSERT_EQ(data["runs"].size(), 1U);
  EXPECT_EQ(data["runs"][0]["label"], std::filesystem::path(own.path).stem().string());
  ASSERT_FALSE(data["beside"].empty());
  EXPECT_LT(data["beside"].size(), others.records.size());
  for (const auto& one : data["beside"]) {
    EXPECT_NE(one["family"], "kernel");
    EXPECT_NE(one["texts"].value("collective", ""), "hypercube");  // nothing like it was measured
    EXPECT_TRUE(one["median"].is_number());
  }
  const std::string text = beside_table(std::vector{own, others});
  EXPECT_NE(text.find("Beside: published:x"), std::string::npos) << text;
  EXPECT_NE(text.find("never a comparison"), std::string::npos) << text;
  EXPECT_EQ(beside_table(std::vector{own}), "");
}

TEST(Report, IsWrittenWholeOrNotAtAll) {
  const auto folder =
      std::filesystem::path(::testing::TempDir()) / fmt::format("stepmark_report_{}", ::getpid());
  std::filesystem::create_directories(folder);
  const std::vector runs{synthetic::run({.seed = 1})};
  write_report(runs, (folder / "r.html").string());
  write_report(runs, (folder / "r.html").string());  // replaces
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  EXPECT_THROW(write_report(runs, (folder / "none" / "r.html").string()), Error);
  EXPECT_THROW(write_report({}, (folder / "e.html").string()), Error);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace stepmark
