// SPDX-License-Identifier: Apache-2.0
// Published availabilities: every shipped file reads and becomes terms, or says that it has none.
#include "results/contract/service_level.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::string terms_with(const std::string& part) {
  return "terms: draft\nparties: {provider: P, customer: C}\n"
         "valid: {from: 2026-12-01, until: 2027-11-30}\n"
         "quantity: {nodes: 8, gpus_per_node: 8}\n" +
         part;
}

// The credits of the draft, once there is a fee.
std::string uncommented(const std::string& yaml) {
  std::string credits = yaml.substr(yaml.find("# credits:"));
  for (auto at = credits.find("# "); at != std::string::npos; at = credits.find("# ", at))
    credits.erase(at, 2);
  return yaml + "fee: {monthly: 100000, currency: USD, per: order}\n" + credits;
}

TEST(ServiceLevel, EveryShippedOneIsTermsOrSaysThatNothingWasFound) {
  int promises = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(STEPMARK_CONFIGS) / "sla")) {
    SCOPED_TRACE(entry.path().string());
    const ServiceLevel one = read_service_level(entry.path());
    EXPECT_EQ(one.name, entry.path().stem());
    EXPECT_GT(one.source.size(), 10U);
    EXPECT_GE(one.date, "2026-11-24");
    if (!one.objective) {
      EXPECT_FALSE(one.notes.empty());
      EXPECT_THROW(static_cast<void>(service_level_yaml(one)), Error);
      continue;
    }
    ++promises;
    const std::string yaml = service_level_yaml(one);
    const Terms terms = read_terms_text(terms_with(yaml), "draft.yaml");
    EXPECT_EQ(terms.availability->objective, *one.objective);
    if (one.tiers.empty()) continue;
    const Terms paid = read_terms_text(terms_with(uncommented(yaml)), "draft.yaml");
    ASSERT_EQ(paid.credits->tiers.size(), one.tiers.size());
    for (std::size_t i = 0; i < one.tiers.size(); ++i)
      EXPECT_EQ(paid.credits->tiers[i].share, one.tiers[i].share);
  }
  EXPECT_GE(promises, 6);
}

TEST(ServiceLevel, TheTiersOfAwsAreThoseOfItsText) {
  const auto one = read_service_level(fs::path(STEPMARK_CONFIGS) / "sla" / "aws-ec2.yaml");
  EXPECT_EQ(*one.objective, kWhole / 1000 * 995);
  ASSERT_EQ(one.tiers.size(), 3U);
  EXPECT_EQ(one.tiers[0].at_least, kWhole / 100 * 99);
  EXPECT_EQ(one.tiers[0].share, kWhole / 10);
  EXPECT_EQ(one.tiers[2].share, kWhole);
}

std::string refusal(const std::string& more) {
  try {
    static_cast<void>(read_service_level_text(
        "sla: s\nprovider: p\nservice: v\nsource: u\ndate: 2026-11-24\n" + more, "s.yaml"));
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

TEST(ServiceLevel, MistakesAreRefusedWithTheirLine) {
  EXPECT_EQ(refusal("objective: 99.5%\n"), "accepted");
  EXPECT_THAT(refusal("objective: 99.5\n"), HasSubstr("s.yaml:6:"));
  EXPECT_THAT(refusal("objektive: 99.5%\n"), HasSubstr("objective"));
  EXPECT_THAT(refusal("date: 2026-11-31\n"), HasSubstr("s.yaml:"));
  EXPECT_THAT(refusal("objective: 99%\ntiers: [{uptime_at_least: 99%, credit: 10%}, "
                      "{uptime_at_least: 0%, credit: 20%}]\n"),
              HasSubstr("begins at or above the objective"));
  EXPECT_THAT(refusal("tiers: [{uptime_at_least: 0%, credit: 20%}]\n"),
              HasSubstr("begins at or above the objective"));
}

}  // namespace
}  // namespace stepmark
