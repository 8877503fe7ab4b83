// SPDX-License-Identifier: Apache-2.0
// The specified peak as facts of a record.
#include "harness/cases/peak_record.h"

#include <gtest/gtest.h>

namespace stepmark {
namespace {

const PeakReference kH100{
    .peaks = {.bf16 = 989.4}, .source = "gpu h100-sxm5-80gb", .power_w = 700, .sm_clock_mhz = 1830};

TEST(PeakRecord, KnownPeak) {
  Record record;
  add_peak_reference(record, kH100, DType::bf16);
  EXPECT_EQ(record.number("peak_flops_per_s"), 989.4e12);
  EXPECT_EQ(record.text("peak_source"), "gpu h100-sxm5-80gb");
  EXPECT_EQ(record.number("peak_specified_power_w"), 700);
  EXPECT_EQ(record.number("peak_specified_sm_clock_mhz"), 1830);
  EXPECT_EQ(record.text("peak_unknown"), "");
}

TEST(PeakRecord, NoPeakHasItsReason) {
  Record other_type;
  add_peak_reference(other_type, kH100, DType::f32);
  EXPECT_FALSE(other_type.number("peak_flops_per_s"));
  EXPECT_EQ(other_type.text("peak_unknown"), "gpu h100-sxm5-80gb gives none of fp32");
  EXPECT_FALSE(other_type.number("peak_specified_power_w"));
  Record unknown;
  add_peak_reference(unknown, {.cluster = "c", .unknown = "nobody knows"}, DType::bf16);
  EXPECT_EQ(unknown.text("peak_unknown"), "nobody knows");
  EXPECT_EQ(unknown.text("cluster"), "c");
}

TEST(PeakRecord, APowerCapUnderTheSpecifiedPowerIsRemarked) {
  for (const auto& [watts, remarks] : {std::pair{500.0, 1U}, {700.0, 0U}, {0.0, 0U}}) {
    Record record;
    if (watts > 0) record.numbers.emplace_back("gpu_power_limit_w", watts);
    add_power_cap(record, kH100);
    EXPECT_EQ(record.labels.size(), remarks) << watts;
  }
}

}  // namespace
}  // namespace stepmark
