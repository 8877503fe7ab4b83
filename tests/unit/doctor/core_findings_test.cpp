// SPDX-License-Identifier: Apache-2.0
#include "harness/doctor/core_findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace stepmark {
namespace {

using testing::HasSubstr;

Resources given(int cores, int launcher, std::optional<double> quota = {}) {
  return {.cores = cores, .launcher_cores = launcher, .quota = quota};
}

TEST(CoreFindings, AllIsWell) {
  for (const Finding& finding : core_findings(given(8, 8), 4)) {
    EXPECT_EQ(finding.health, Health::good) << finding.what;
  }
}

TEST(CoreFindings, BoundProcessLeavesCpusIdle) {
  const Finding cores = core_findings(given(1, 8), 1)[0];
  EXPECT_EQ(cores.health, Health::warning);
  EXPECT_EQ(cores.found, "1 of 8 used");
  EXPECT_THAT(cores.advice, HasSubstr("--bind-to none"));
}

TEST(CoreFindings, MoreRanksThanCores) {
  EXPECT_EQ(core_findings(given(2, 2), 4)[0].health, Health::warning);
}

TEST(CoreFindings, InstructionSets) {
  constexpr std::array<HostSet, 3> kSets{HostSet{"x86-64-v2", true, nullptr},
                                         HostSet{"x86-64-v3", true, nullptr},
                                         HostSet{"x86-64-v4", false, nullptr}};
  const Finding best = kernels_finding(kSets, std::nullopt);
  EXPECT_EQ(best.health, Health::good);
  EXPECT_EQ(best.found, "for x86-64-v3");
  const Finding less = kernels_finding(kSets, "x86-64-v2");
  EXPECT_EQ(less.health, Health::note);
  EXPECT_EQ(less.found, "for x86-64-v2");
  EXPECT_THAT(less.advice, HasSubstr("less than x86-64-v3"));
  const Finding lacking = kernels_finding(kSets, "x86-64-v4");
  EXPECT_EQ(lacking.health, Health::broken);
  EXPECT_THAT(lacking.advice, HasSubstr("this processor does not have it"));
  EXPECT_EQ(kernels_finding(std::span(kSets).last(1), std::nullopt).health, Health::broken);
}

TEST(CoreFindings, Quota) {
  const Finding half = core_findings(given(2, 2, 0.5), 1)[1];
  EXPECT_EQ(half.health, Health::warning);
  EXPECT_THAT(half.found, HasSubstr("0.5 cores"));
  EXPECT_THAT(half.advice, HasSubstr("--cpus"));
  EXPECT_EQ(core_findings(given(8, 8, 4.0), 2)[1].health, Health::note);
  EXPECT_EQ(core_findings(given(8, 8, 4.0), 5)[1].health, Health::warning);
  EXPECT_EQ(core_findings(given(8, 8, 8.0), 2)[1].health, Health::good);
}

TEST(HostNames, ThatOpenMpiRefuses) {
  for (const char* name : {"a", "node-1.example.org", "1ab"}) {
    EXPECT_EQ(host_name_finding(name, 2).health, Health::good) << name;
  }
  for (const char* name : {"a_b", "_ab", "a b", "h\xf6st", ""}) {
    EXPECT_EQ(host_name_finding(name, 2).health, Health::broken) << name;
    EXPECT_EQ(host_name_finding(name, 1).health, Health::warning) << name;
  }
  EXPECT_THAT(host_name_finding("a_b", 2).advice, HasSubstr("not '_'"));
  EXPECT_EQ(host_name_finding("h\xf6st", 1).found, "h\\xf6st");
}

}  // namespace
}  // namespace stepmark
