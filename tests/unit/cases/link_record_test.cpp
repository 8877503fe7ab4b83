// SPDX-License-Identifier: Apache-2.0
// Declared link rates as facts of a record, and the share that follows from them.
#include "harness/cases/link_record.h"

#include <gtest/gtest.h>

#include "results/families/derive.h"

namespace stepmark {
namespace {

Record collective() {
  Record out{.case_id = "collective/all_reduce", .family = "collective"};
  out.numbers = {{"size_bytes", 1e9}, {"ranks", 4}};
  out.texts = {{"collective", "all_reduce"}};
  out.series = {{.name = "time_s", .unit = "s", .values = std::vector<double>(20, 0.01)}};
  return out;
}

TEST(LinkRecord, TheRateThatBoundsGivesAShare) {
  Record record = collective();
  add_link_reference(record, {.cluster = "c",
                              .scale_up_gb_per_s = 450,
                              .scale_out_gb_per_s = 50,
                              .gb_per_s = 450,
                              .name = "scale-up"});
  derive(record);
  EXPECT_EQ(record.text("cluster"), "c");
  EXPECT_EQ(record.number("scale_up_gb_per_s"), 450);
  EXPECT_EQ(record.number("scale_out_gb_per_s"), 50);
  ASSERT_NE(record.metric("link_share"), nullptr);
  EXPECT_NEAR(*record.metric("link_share")->value, 150.0 / 450, 1e-12);
  EXPECT_EQ(record.metric("link_share")->note, "of 450 GB/s, declared for scale-up links");
}

TEST(LinkRecord, WithoutOneTheReasonStands) {
  Record record = collective();
  add_link_reference(record, {.cluster = "c", .scale_up_gb_per_s = 450, .unknown = "both kinds"});
  derive(record);
  EXPECT_FALSE(record.number("link_gb_per_s"));
  ASSERT_NE(record.metric("link_share"), nullptr);
  EXPECT_FALSE(record.metric("link_share")->value);
  EXPECT_EQ(record.metric("link_share")->note, "both kinds");
}

TEST(LinkRecord, WithoutAClusterNothingIsSaid) {
  Record record = collective();
  const auto facts = record.numbers.size() + record.texts.size();
  add_link_reference(record, {.unknown = "no cluster"});
  derive(record);
  EXPECT_EQ(record.numbers.size() + record.texts.size(), facts);
  EXPECT_EQ(record.metric("link_share"), nullptr);  // older journals come out as they were
}

}  // namespace
}  // namespace stepmark
