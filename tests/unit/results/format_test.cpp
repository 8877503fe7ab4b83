// SPDX-License-Identifier: Apache-2.0
#include "results/views/format/format.h"

#include <gtest/gtest.h>

#include <set>

#include "results/views/csv/csv.h"
#include "results/views/report/report.h"
#include "synthetic.h"

namespace stepmark {
namespace {

TEST(FileFormats, EachHasAnOptionOfItsOwnAndSaysWhatItWrites) {
  std::set<std::string> options;
  for (const FileFormat& format : file_formats()) {
    EXPECT_TRUE(options.insert(format.option).second) << format.option;
    EXPECT_FALSE(format.help.empty()) << format.option;
    EXPECT_FALSE(format.title.empty()) << format.option;
  }
  EXPECT_TRUE(options.contains("html"));
  EXPECT_TRUE(options.contains("csv"));
}

TEST(FileFormats, TextIsThatOfTheView) {
  const std::vector runs{synthetic::run({.seed = 1, .name = "a"})};
  for (const FileFormat& format : file_formats()) {
    const std::string text = format.text(runs);
    EXPECT_NE(text.find(runs.front().records.front().case_id), std::string::npos) << format.option;
    if (format.option == "csv") {
      EXPECT_EQ(text, runs_csv(runs));
    }
    if (format.option == "html") {
      EXPECT_EQ(text, report_html(runs));
    }
  }
}

}  // namespace
}  // namespace stepmark
