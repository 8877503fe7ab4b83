// SPDX-License-Identifier: Apache-2.0
// Journals of builds that had other words are read as if they had today's.
#include "results/record/former_names.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "results/families/read_journal.h"
#include "results/record/journal_lines.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using nlohmann::json;

// How often a key or a metric's name was replaced.
int replace(json& value, const std::string& today, const std::string& former) {
  int count = 0;
  if (value.is_object() && value.contains(today)) {
    value[former] = std::exchange(value[today], json());
    value.erase(today);
    ++count;
  }
  if (value.is_object() && value.contains("unit") && value.value("name", "") == today) {
    value["name"] = former;
    ++count;
  }
  if (value.is_structured()) {
    for (json& part : value) count += replace(part, today, former);
  }
  return count;
}

TEST(FormerNames, AnOldJournalReadsAsANewOne) {
  stepmark::Run run = synthetic::run({.seed = 3});
  run.records.push_back(synthetic::overlap(8));
  run.header.cases.push_back(run.records.back().case_id);
  auto lines = synthetic::lines_of(run);
  for (const auto& [former, today] :
       {std::pair{"group", "section"}, {"floor", "bound"}, {"product", "gemm_title"}}) {
    int count = 0;
    for (json& line : lines) count += replace(line, today, former);
    EXPECT_GT(count, 0) << today;
  }
  const stepmark::Run back = parse_journal(synthetic::chained(lines), "old.smk");
  EXPECT_TRUE(back.warnings.empty()) << back.warnings.front();
  EXPECT_EQ(header_json(back.header, "run"), header_json(run.header, "run"));
  ASSERT_EQ(back.records.size(), run.records.size());
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    EXPECT_EQ(to_json(back.records[i]), to_json(run.records[i]));
  }
}

TEST(FormerNames, OtherNamesStay) {
  EXPECT_EQ(name_today("product_engine"), "gemm_engine");
  EXPECT_EQ(name_today("roofline"), "roofline");
}

}  // namespace
}  // namespace stepmark
