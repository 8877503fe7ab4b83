// SPDX-License-Identifier: Apache-2.0
// The sample of terms as values, and every mistake in it with its place.
#include "results/contract/terms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/units.h"
#include "sample_terms.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Terms, AreReadAsTheyStand) {
  const Terms terms = read_terms(std::string(STEPMARK_SAMPLES) + "/renewal.yaml");
  EXPECT_EQ(terms.name, "renewal-2027");
  EXPECT_EQ(terms.provider, "Example Cloud");
  EXPECT_EQ(day_text(terms.valid.to), "2027-12-01");  // the last day is one of them
  EXPECT_EQ(terms.nodes * terms.gpus_per_node, 256);
  ASSERT_TRUE(terms.fee && terms.credits && terms.availability);
  EXPECT_EQ(terms.fee->monthly, 1'600'000'000'000);  // millionths
  ASSERT_EQ(terms.stack.size(), 2U);
  EXPECT_EQ(terms.stack[1].name, "NVIDIA driver");
  EXPECT_EQ(terms.stack[1].value, "550.90.07");
  ASSERT_EQ(terms.floors.size(), 2U);
  const Floor& first = terms.floors[0];
  EXPECT_EQ(first.sizes, (std::vector<std::int64_t>{kGiB, 8 * kGiB}));
  EXPECT_EQ(first.nodes, (std::vector<std::int64_t>{8, 16}));
  EXPECT_EQ(first.value, 330);
  EXPECT_EQ(first.unit, "GB/s");
  EXPECT_DOUBLE_EQ(first.quantile, 0.1);
  EXPECT_DOUBLE_EQ(first.confidence, 0.95);
  EXPECT_EQ(first.credit, kWhole / 20);
  const Floor& second = terms.floors[1];
  EXPECT_EQ(second.direction, FloorDirection::at_most);
  EXPECT_EQ(second.quantile, 0.5);
  EXPECT_EQ(second.confidence, 0.95);
  EXPECT_EQ(terms.availability->objective, 995'000'000);
  EXPECT_EQ(terms.availability->outages[1].nodes.size(), 2U);
  EXPECT_EQ(terms.credits->tiers[1].share, 300'000'000);
  EXPECT_EQ(terms.credits->round_to, 10'000);
  EXPECT_EQ(terms.find("llama-step"), &second);
  EXPECT_EQ(terms.find("none"), nullptr);
}

struct Mistake {
  const char *from, *to, *expected;
};

class TermsMistakes : public ::testing::TestWithParam<Mistake> {};

TEST_P(TermsMistakes, AreSaidWithPlaceAndWayOut) {
  const Mistake& mistake = GetParam();
  EXPECT_THAT(error_of_terms(sample_with(mistake.from, mistake.to)),
              AllOf(StartsWith("terms.yaml:"), HasSubstr(mistake.expected)));
}

INSTANTIATE_TEST_SUITE_P(
    All, TermsMistakes,
    ::testing::Values(
        Mistake{"parties:", "partys:", ":2:1: missing key 'parties' (is 'partys' a misspelling"},
        Mistake{"until: 2027-11-30", "until: 2026-11-30", "lies before 'from'"},
        Mistake{"until: 2027-11-30", "until: 30.11.2027", ":4:27: until: found '30.11.2027'"},
        Mistake{"1600000.00", "\"1,600,000\"", "without separators"},
        Mistake{"1600000.00", "0.0000001", "amount of money above 0"},
        Mistake{"currency: USD", "currency: $", "three capital letters"},
        Mistake{"per: order", "per: gpu", "one of node, order"},
        Mistake{"family: collective", "family: colective", "did you mean 'collective'?"},
        Mistake{"    sizes: [1GiB, 8GiB]\n", "", "needs 'sizes'"},
        Mistake{"[1GiB, 8GiB]", "[1GiB, 1GiB]", "'1GiB' is there twice"},
        Mistake{"[1GiB, 8GiB]", "[1GB]", "sizes: "},
        Mistake{"    nodes: [8, 16]\n", "", "needs 'nodes'"},
        Mistake{"nodes: [8, 16]", "nodes: [8, 64]", "from 1 to 32"},
        Mistake{"330 GB/s", "330", "has no unit"},
        Mistake{"330 GB/s", "-330 GB/s", "a number above 0 and its unit"},
        Mistake{"330 GB/s", "nan GB/s", "a number above 0 and its unit"},
        Mistake{"    at_least: 330 GB/s\n", "", "one of at_least and at_most"},
        Mistake{"quantile: 10%", "quantile: 0.1", "with its sign"},
        Mistake{"quantile: 10%", "quantile: 100%", "median, or 1% to 99%"},
        Mistake{"confidence: 95%", "confidence: 100%", "50% to 99.9%"},
        Mistake{"floor: llama-step", "floor: all-reduce-8-nodes",
                "there is a 'all-reduce-8-nodes'"},
        Mistake{"    nodes: 8\n", "    nodes: 8\n    sizes: [1MiB]\n",
                "names its own; remove them"},
        Mistake{"mode: no-downtime", "mode: maybe", "one of counts, no-downtime"},
        Mistake{"nodes: [gpu-017], ", "", "name the nodes that were down"},
        Mistake{"to: 2026-12-06T11:00:00Z", "to: 2026-12-06T05:00:00Z", "is not after 'from'"},
        Mistake{"to: 2026-12-06T11:00:00Z", "to: 2026-12-06T11:00:00", "a moment in UTC"},
        Mistake{"uptime_at_least: 0%", "uptime_at_least: 1%", "uptime_at_least: 0%"},
        Mistake{"uptime_at_least: 95%", "uptime_at_least: 99%", "from the highest uptime"},
        Mistake{"uptime_at_least: 99%", "uptime_at_least: 99.5%", "first tier begins at or above"},
        Mistake{"credit: 30%", "credit: 3%", "credited less"},
        Mistake{"mode: half-up", "mode: nearest", "one of half-up"},
        Mistake{"  cap: 50%\n", "", "missing key 'cap'"},
        Mistake{"objective: 99.5%", "objective: 99.5", "with its sign"},
        Mistake{"fee: {monthly: 1600000.00, currency: USD, per: order}\n", "",
                "there is no 'fee'"}));

TEST(Terms, WithoutAnythingToCheckAreNone) {
  const std::string head = sample_text();
  EXPECT_THAT(error_of_terms(head.substr(0, head.find("fee:"))),
              HasSubstr("nothing that could be checked"));
}

TEST(Terms, SharesAreExactDecimals) {
  const Terms terms =
      read_terms_text(sample_with("objective: 99.5%", "objective: 99.9999999%"), "t");
  EXPECT_EQ(terms.availability->objective, 999'999'999);
  EXPECT_THAT(error_of_terms(sample_with("objective: 99.5%", "objective: 99.99999999%")),
              HasSubstr("at most 7 decimals"));
}

}  // namespace
}  // namespace stepmark
