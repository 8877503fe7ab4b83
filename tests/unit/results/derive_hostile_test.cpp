// SPDX-License-Identifier: Apache-2.0
// Records of any shape with any numbers: deriving throws nothing, loses no series, gives every
// metric a finite value or a reason, says the same when asked again, and what comes out can be
// written, read back and printed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "results/families/derive.h"
#include "results/record/journal.h"
#include "results/record/record.h"
#include "results/views/csv/csv.h"
#include "results/views/table/run_table.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::AnyOf;
using ::testing::StartsWith;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr std::array kHostile{0.0,
                              -0.0,
                              -1.0,
                              1.0,
                              0.5,
                              1e-3,
                              3.0,
                              2147483648.0,
                              1e19,
                              1e300,
                              -1e300,
                              kInf,
                              -kInf,
                              std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::denorm_min(),
                              std::numeric_limits<double>::max()};

class Hostile {
 public:
  explicit Hostile(std::uint64_t seed) : bits_(seed) {}

  Record record() {
    Record out = template_record();
    for (auto& [name, value] : out.numbers) {
      if (one_in(3)) value = number();
    }
    std::erase_if(out.numbers, [&](const auto&) { return one_in(8); });
    for (auto& [name, text] : out.texts) {
      if (one_in(4)) text = one_in(2) ? "" : "barrier";
    }
    std::erase_if(out.texts, [&](const auto&) { return one_in(10); });
    for (Series& series : out.series) {
      if (one_in(3)) spoil(series.values);
    }
    std::erase_if(out.series, [&](const auto&) { return one_in(10); });
    for (const char* name : {"gap_s", "joules_per_sample", "calls_per_sample", "first_call_s"}) {
      if (one_in(3)) out.numbers.emplace_back(name, number());
    }
    if (one_in(20)) out.family = "another";
    out.perf_valid = !one_in(10);
    return out;
  }

 private:
  bool one_in(std::uint64_t n) { return bits_() % n == 0; }
  double number() { return kHostile.at(bits_() % kHostile.size()); }

  void spoil(std::vector<double>& values) {
    if (one_in(4)) values.clear();
    const bool all = one_in(2);
    const double same = number();
    for (double& value : values) {
      if (all || one_in(2)) value = one_in(2) ? same : number();
    }
  }

  Record template_record() {
    const std::vector<double> times(20, 1e-3);
    switch (bits_() % 5) {
      case 0:
        return synthetic::collective("all_reduce", 1 << 20, "in-place", times);
      case 1:
        return synthetic::kernel("gemm", 1e8, 1e6, times);
      case 2:
        return synthetic::step("tiny", times, false);
      case 3:
        return synthetic::groups(20);
      default:
        return synthetic::overlap(20);
    }
  }

  std::mt19937_64 bits_;
};

bool same(const std::vector<Series>& a, const std::vector<Series>& b) {
  const auto bits = [](double x) { return std::bit_cast<std::uint64_t>(x); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const Series& x, const Series& y) {
    return x.name == y.name &&
           std::equal(x.values.begin(), x.values.end(), y.values.begin(), y.values.end(),
                      [&](double p, double q) { return bits(p) == bits(q); });
  });
}

void expect_finite_or_explained(const Record& record) {
  for (const Metric& metric : record.metrics) {
    if (metric.value) {
      EXPECT_TRUE(std::isfinite(*metric.value)) << metric.name;
    } else {
      EXPECT_NE(metric.note, "") << metric.name;
    }
    if (metric.unit == "1" && (metric.name.starts_with("mfu") || metric.name == "hfu")) {
      EXPECT_LE(metric.value.value_or(0), 1) << metric.name;
    }
  }
  if (!record.metrics.empty()) return;
  // Nothing but these stops a derivation; an exception that nobody meant would be another reason.
  ASSERT_EQ(record.labels.size(), 1U);
  EXPECT_THAT(record.labels.front(), AnyOf(StartsWith("no figures: no samples in series 'time_s'"),
                                           StartsWith("no figures: a median time of "),
                                           StartsWith("no figures: family 'another'")));
}

TEST(DeriveHostile, NothingThrowsAndNothingMeasuredIsLost) {
  Hostile hostile(20240229);
  for (int i = 0; i < 1500 && !testing::Test::HasFailure(); ++i) {
    const Record before = hostile.record();
    Record record = before;
    SCOPED_TRACE(i);
    ASSERT_NO_THROW(derive(record));
    EXPECT_TRUE(same(record.series, before.series));
    EXPECT_EQ(record.outcome, Outcome::ok);
    EXPECT_EQ(record.summaries.size(), record.series.size());
    expect_finite_or_explained(record);

    const nlohmann::json once = to_json(record);
    derive(record);
    EXPECT_EQ(to_json(record), once);
    EXPECT_EQ(to_json(record_from_json(nlohmann::json::parse(once.dump()))), once);
    stepmark::Run run;
    run.header.cases = {record.case_id};
    run.records = {record};
    ASSERT_NO_THROW(static_cast<void>(run_table(run)));
    ASSERT_NO_THROW(static_cast<void>(runs_csv(std::span(&run, 1))));
  }
}

}  // namespace
}  // namespace stepmark
