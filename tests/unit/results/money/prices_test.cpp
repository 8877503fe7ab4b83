// SPDX-License-Identifier: Apache-2.0
// Price files: what they say, and what is refused with its line.
#include "results/money/prices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "results/money/calendar.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    static_cast<void>(parse_prices(text, "p.yaml"));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.message();
  }
  return "accepted";
}

// A file of one price, with `price` as its keys.
std::string with(const std::string& price, const std::string& provider = "") {
  return "prices: x\ncurrency: USD\ndate: 2026-09-01\nsource: s\nproviders:\n  - provider: a\n" +
         provider + "    prices:\n      - {" + price + "}\n";
}

TEST(Prices, AFileIsRead) {
  const PriceFile file = read_prices(STEPMARK_SAMPLE_PRICES);
  EXPECT_EQ(file.currency, "USD");
  ASSERT_EQ(file.providers.size(), 3U);
  const ProviderPrices& aws = *file.find("aws-p5");
  const Price& on_demand = *aws.find(PriceKind::on_demand);
  EXPECT_DOUBLE_EQ(on_demand.per_gpu_hour, 6.88);  // 55.04 / 8
  EXPECT_DOUBLE_EQ(*on_demand.per_node_hour, 55.04);
  EXPECT_EQ(on_demand.region, "us-east-1");
  EXPECT_EQ(to_text(on_demand.date), "2026-09-19");
  EXPECT_EQ(to_text(aws.find(PriceKind::three_year)->date), "2026-07-20");
  EXPECT_EQ(aws.find(PriceKind::spot), nullptr);
  EXPECT_DOUBLE_EQ(*aws.find(PriceKind::capacity_block)->goodput, 0.98);
  EXPECT_FALSE(on_demand.goodput);
  EXPECT_DOUBLE_EQ(aws.extra.per_hour(), 9);  // 0.09 x 73000 / 730; storage has no amount
  const ProviderPrices& google = *file.find("gcp-a3-mega");
  EXPECT_DOUBLE_EQ(*google.find(PriceKind::on_demand)->goodput, 0.95);
  EXPECT_EQ(google.find(PriceKind::three_year)->source, "calculator, us-central1");
  EXPECT_EQ(file.find("neocloud")->find(PriceKind::on_demand)->region, "eu-north");
}

TEST(Prices, OldOnesAndMissingAmountsAreRemarked) {
  const PriceFile file = read_prices(STEPMARK_SAMPLE_PRICES);
  const auto remarks = [&](const char* day) { return price_remarks(file, *parse_day(day)); };
  EXPECT_THAT(remarks("2026-09-19"),
              ElementsAre(HasSubstr("three-providers.yaml:6: aws-p5: storage has a price and no "
                                    "amount (gb)")));
  // 90 days after 2026-07-20 is 2026-10-18.
  EXPECT_EQ(remarks("2026-10-18").size(), 1U);
  EXPECT_THAT(
      remarks("2026-10-19"),
      ElementsAre(HasSubstr("aws-p5 3-year is of 2026-07-20, 91 days old"), HasSubstr("storage")));
  EXPECT_EQ(remarks("2027-09-19").size(), 8U);
  EXPECT_THAT(remarks("2026-09-01").front(), HasSubstr("which is 18 days ahead"));
}

// Every shipped price: a source, a day, what it is per, and no remark but on those not verified.
TEST(Prices, EveryShippedOneHasSourceAndDate) {
  const PriceFile file = read_prices(STEPMARK_PUBLISHED_PRICES);
  EXPECT_EQ(file.currency, "USD");
  EXPECT_GE(file.providers.size(), 50U);
  std::size_t prices = 0;
  std::size_t unverified = 0;
  for (const ProviderPrices& provider : file.providers) {
    for (const Price& price : provider.prices) {
      SCOPED_TRACE(fmt::format("line {}", price.line));
      ++prices;
      unverified += price.verified ? 0U : 1U;
      EXPECT_GT(price.source.size(), 20U);
      EXPECT_GE(price.date, *parse_day("2026-01-01"));
      EXPECT_LE(price.date, *parse_day("2026-11-24"));
      EXPECT_GT(price.per_gpu_hour, 1);
      EXPECT_LT(price.per_gpu_hour, 40);
    }
  }
  EXPECT_GE(prices, 100U);
  EXPECT_EQ(price_remarks(file, *parse_day("2026-11-24")).size(), unverified + 2);
  const std::vector<std::string> one{"aws-p5"};
  EXPECT_THAT(price_remarks(file, *parse_day("2026-11-24"), one), ElementsAre());
  EXPECT_EQ(price_remarks(file, *parse_day("2027-11-24"), one).size(),
            file.find("aws-p5")->prices.size());
  EXPECT_DOUBLE_EQ(file.find("aws-p5")->find(PriceKind::on_demand)->per_gpu_hour, 6.88);
  EXPECT_DOUBLE_EQ(file.find("oci-gb200")->find(PriceKind::on_demand)->per_gpu_hour, 16);
}

TEST(Prices, GoodputAsHours) {
  const PriceFile file = parse_prices(
      with("kind: spot, per_gpu_hour: 1, goodput_hours: {productive: 657, paid: 730}"), "p.yaml");
  EXPECT_DOUBLE_EQ(*file.providers[0].prices[0].goodput, 0.9);
  EXPECT_THAT(
      refusal(with("kind: spot, per_gpu_hour: 1, goodput_hours: {productive: 731, paid: 730}")),
      HasSubstr("p.yaml:8:"));
  EXPECT_THAT(refusal(with("kind: spot, per_gpu_hour: 1, goodput: 0.9, goodput_hours: "
                           "{productive: 1, paid: 2}")),
              HasSubstr("give one of both"));
}

TEST(Prices, MistakesAreRefusedWithTheirLine) {
  EXPECT_EQ(refusal(with("kind: on-demand, per_gpu_hour: 2")), "accepted");
  EXPECT_THAT(refusal(with("kind: ondemand, per_gpu_hour: 2")), HasSubstr("p.yaml:8:"));
  EXPECT_THAT(refusal(with("kind: ondemand, per_gpu_hour: 2")), HasSubstr("on-demand"));
  EXPECT_THAT(refusal(with("kind: spot, per_gpu_hour: 0")), HasSubstr("expected more than 0"));
  EXPECT_THAT(refusal(with("kind: spot, per_gpu_hour: -1")), HasSubstr("p.yaml:8:"));
  EXPECT_THAT(refusal(with("kind: spot, per_gpu_hour: .nan")), HasSubstr("p.yaml:8:"));
  EXPECT_THAT(refusal(with("kind: spot")), HasSubstr("expected either per_gpu_hour"));
  EXPECT_THAT(refusal(with("kind: spot, per_gpu_hour: 1, per_node_hour: 8, gpus_per_node: 8")),
              HasSubstr("expected either per_gpu_hour"));
  EXPECT_THAT(refusal(with("kind: spot, per_node_hour: 8")), HasSubstr("needs gpus_per_node"));
  EXPECT_THAT(refusal(with("kind: spot, per_gpu_hour: 1, goodput: 1.5")), HasSubstr("p.yaml:8:"));
  EXPECT_THAT(refusal(with("kind: spot, per_gpu_hour: 1, goodput: 0")), HasSubstr("above 0"));
  EXPECT_THAT(refusal(with("kind: spot, per_gpu_hour: 1, date: 2026-02-30")),
              HasSubstr("expected a day"));
  EXPECT_THAT(refusal(with("kind: spot, per_gpu_huor: 1")), HasSubstr("per_gpu_hour"));
  EXPECT_THAT(refusal("prices: x\nproviders:\n  - provider: a\n    prices:\n"
                      "      - {kind: spot, per_gpu_hour: 1, currency: USD, source: s}\n"),
              HasSubstr("p.yaml:5:9: a price without date"));
  EXPECT_THAT(refusal("prices: x\n"), HasSubstr("expected at least one provider"));
}

TEST(Prices, OneFileHasOneCurrency) {
  EXPECT_THAT(refusal(with("kind: spot, per_gpu_hour: 1, currency: EUR")),
              HasSubstr("'EUR' beside 'USD'"));
  EXPECT_THAT(refusal(with("kind: spot, per_gpu_hour: 1, currency: usd")), HasSubstr("p.yaml:8:"));
  // Said at the prices alone, they must agree as well.
  const std::string head = "prices: x\ndate: 2026-09-01\nsource: s\nproviders:\n";
  const auto provider = [](const char* name, const char* currency) {
    return fmt::format(
        "  - provider: {}\n    prices:\n      - {{kind: spot, per_gpu_hour: 1, "
        "currency: {}}}\n",
        name, currency);
  };
  EXPECT_EQ(refusal(head + provider("a", "USD") + provider("b", "USD")), "accepted");
  EXPECT_THAT(refusal(head + provider("a", "USD") + provider("b", "EUR")),
              HasSubstr("'EUR' beside 'USD'"));
  EXPECT_THAT(refusal(head + provider("a", "USD") + provider("a", "USD")), HasSubstr("twice"));
}

TEST(Calendar, KnowsItsDays) {
  EXPECT_EQ(to_text(*parse_day("2024-02-29")), "2024-02-29");
  for (const char* wrong : {"2023-02-29", "2026-13-01", "2026-1-1", "20260101", "", "2026-00-10",
                            "2026-01-0x", "-026-01-01"}) {
    EXPECT_FALSE(parse_day(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace stepmark
