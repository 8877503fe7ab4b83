// SPDX-License-Identifier: Apache-2.0
// Figures of a journal are those of its samples, whatever it says, and whether it says any.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/families/read_journal.h"
#include "results/record/journal_lines.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What is read of a run whose records were changed as files.
stepmark::Run read_with(const stepmark::Run& run, void (*change)(json& record)) {
  auto lines = synthetic::lines_of(run);
  for (json& line : lines) {
    if (line["type"] == "record") change(line);
  }
  return parse_journal(synthetic::chained(lines), "r.smk");
}

TEST(Recompute, SamplesAloneAreEnough) {
  const stepmark::Run run = synthetic::run({.seed = 3});
  const stepmark::Run back = read_with(run, [](json& record) {
    record["summaries"] = json::array();
    record["metrics"] = json::array();
  });
  EXPECT_THAT(back.warnings, IsEmpty());
  ASSERT_EQ(back.records.size(), run.records.size());
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    EXPECT_EQ(to_json(back.records[i]), to_json(run.records[i]));
  }
}

TEST(Recompute, FiguresThatDoNotFollowAreReplacedAndSaid) {
  const stepmark::Run run = synthetic::run({.seed = 3});
  const stepmark::Run back = read_with(run, [](json& record) {
    for (json& summary : record["summaries"]) summary["median"] = 1e-9;
  });
  EXPECT_THAT(back.warnings, Contains(HasSubstr("are not those of the samples")));
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    EXPECT_EQ(to_json(back.records[i]), to_json(run.records[i]));
  }
  // One of both left out is a difference like any other.
  EXPECT_THAT(read_with(run, [](json& record) { record["metrics"] = json::array(); }).warnings,
              Contains(HasSubstr("are not those of the samples")));
}

}  // namespace
}  // namespace stepmark
