// SPDX-License-Identifier: Apache-2.0
#include "results/compare/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "results/views/json/comparison_json.h"
#include "results/views/table/comparison_table.h"
#include "results/views/table/text_table.h"
#include "results/views/words/comparison_words.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;

RunSide side(const std::string& label, std::vector<Run> runs) {
  return {.label = label, .runs = std::move(runs)};
}

// With a spread between runs that is known.
Comparison compare_two(const Run& a, const Run& b) {
  return compare(std::vector{side("a", {a}), side("b", {b})}, {.run_spread = 0.005});
}

Comparison compare_unknown(const Run& a, const Run& b) {
  return compare(std::vector{side("a", {a}), side("b", {b})});
}

const CaseVerdict& verdict_of(const Comparison& c, const std::string& id) {
  for (const auto& verdict : c.sides.at(0).cases) {
    if (verdict.case_id == id) {
      return verdict;
    }
  }
  throw std::out_of_range(id);
}

// What another run would give that measured exactly the same.
stepmark::Run twin_of(stepmark::Run run) {
  run.header.run_id += "-twin";
  run.path = "twin.smk";
  for (auto& record : run.records) {
    record.started_unix_s += 1;
  }
  return run;
}

TEST(Compare, ARunIsTheSameAsItsTwin) {
  const auto run = synthetic::run({.seed = 1, .noise = 0.002});
  const auto c = compare_two(run, twin_of(run));
  EXPECT_EQ(c.worst(), Verdict::missing);  // the case without a record
  EXPECT_EQ(c.sides[0].count(Verdict::same) + 2, static_cast<int>(c.sides[0].cases.size()));
  EXPECT_EQ(c.sides[0].count(Verdict::skipped), 1);
  EXPECT_EQ(c.sides[0].count(Verdict::missing), 1);
  EXPECT_TRUE(c.sides[0].differences.empty());
  EXPECT_FALSE(c.has_regression());
}

TEST(Compare, FindsWhatIsSlowerAndFaster) {
  const auto a = synthetic::run({.seed = 1});
  const auto slower = compare_two(a, synthetic::run({.seed = 2, .slowdown = 1.3}));
  EXPECT_EQ(slower.worst(), Verdict::slower);
  EXPECT_TRUE(slower.has_regression());
  const auto& v = verdict_of(slower, "step/tiny/dp2.tp2");
  EXPECT_EQ(v.verdict, Verdict::slower);
  EXPECT_NEAR(v.ratio, 1.3, 0.02);
  EXPECT_LT(v.lower, 1.3);
  EXPECT_GT(v.upper, 1.3);
  EXPECT_LT(v.adjusted_p, 0.05);
  EXPECT_GT(v.minimum_detectable, 0.02);
  EXPECT_LT(v.minimum_detectable, 0.1);
  const auto faster = compare_two(a, synthetic::run({.seed = 2, .slowdown = 0.7}));
  EXPECT_EQ(verdict_of(faster, "step/tiny/dp2.tp2").verdict, Verdict::faster);
  EXPECT_FALSE(faster.has_regression());
}

TEST(Compare, NoiseMakesItUndecidedAndSaysWhatItWouldFind) {
  const auto c = compare_two(synthetic::run({.seed = 1, .noise = 0.5, .count = 20}),
                             synthetic::run({.seed = 2, .noise = 0.5, .count = 20}));
  const auto& v = verdict_of(c, "step/tiny/dp2.tp2");
  EXPECT_EQ(v.verdict, Verdict::undecided);
  EXPECT_GT(v.minimum_detectable, 0.2);
}

TEST(Compare, ADriftThroughTheRunIsSaidAndWidens) {
  const auto make = [](std::uint64_t seed, bool drifting) {
    auto run = synthetic::run({.seed = seed, .collectives = false, .kernels = false});
    if (drifting) {
      for (auto& record : run.records) {
        for (auto& series : record.series) {
          const auto n = static_cast<double>(series.values.size());
          for (std::size_t i = 0; i < series.values.size(); ++i) {
            series.values[i] *= 1 + 0.1 * static_cast<double>(i) / n;
          }
        }
      }
    }
    return run;
  };
  const auto steady = compare_two(make(1, false), make(2, false));
  const auto drifting = compare_two(make(1, false), make(2, true));
  const auto* id = "step/tiny/dp2.tp2";
  const auto width = [&](const Comparison& c) {
    return verdict_of(c, id).within_upper - verdict_of(c, id).within_lower;
  };
  EXPECT_GT(width(drifting), 3 * width(steady));
  EXPECT_EQ(verdict_of(drifting, id).drift_baseline, 0);
  EXPECT_NEAR(verdict_of(drifting, id).drift_candidate, 0.1, 0.03);
  EXPECT_THAT(reason_text(verdict_of(drifting, id)), HasSubstr("candidate drifts by +"));
}

TEST(Compare, OneRunASideDecidesOnlyBeyondAGenerousSpread) {
  const auto* id = "step/tiny/dp2.tp2";
  const auto a = synthetic::run({.seed = 1, .noise = 0.002});
  const auto little = compare_unknown(a, synthetic::run({.seed = 2, .slowdown = 1.06}));
  const auto& v = verdict_of(little, id);
  EXPECT_EQ(v.verdict, Verdict::undecided);
  EXPECT_EQ(v.spread, Spread::generous);
  EXPECT_GT(v.upper - v.lower, 0.1);
  EXPECT_LT(v.within_upper - v.within_lower, 0.02);
  EXPECT_EQ(little.sides[0].count(Verdict::same), 0);
  const auto text = comparison_table(little);
  EXPECT_THAT(text, HasSubstr("within-run ["));
  EXPECT_THAT(text, HasSubstr("--run-spread"));

  const auto much = compare_unknown(a, synthetic::run({.seed = 2, .slowdown = 1.3}));
  EXPECT_EQ(verdict_of(much, id).verdict, Verdict::slower);
  EXPECT_THAT(reason_text(verdict_of(much, id)), HasSubstr("generous spread of 4 %"));
}

TEST(Compare, AHistoryTellsTheSpread) {
  const auto* id = "step/tiny/dp2.tp2";
  CompareOptions options;
  for (std::uint64_t i = 0; i < 6; ++i) {
    options.history.push_back(
        synthetic::run({.seed = 50 + i, .slowdown = 3, .between_run_sd = 0.002, .noise = 0.002}));
    options.history.back().path = fmt::format("h{}.smk", i);
  }
  const auto a = synthetic::run({.seed = 1, .noise = 0.002});
  const auto b = synthetic::run({.seed = 2, .slowdown = 1.06, .noise = 0.002});
  const auto sides = std::vector{side("a", {a}), side("b", {b})};
  const auto c = compare(sides, options);
  EXPECT_EQ(verdict_of(c, id).verdict, Verdict::slower);
  EXPECT_EQ(verdict_of(c, id).spread, Spread::measured);
  EXPECT_NEAR(verdict_of(c, id).ratio, 1.06, 0.02) << "the history's level does not count";

  options.history.push_back(a);
  EXPECT_THROW(static_cast<void>(compare(sides, options)), Error) << "compared and in the spread";
  options.history = {options.history.front()};
  EXPECT_THROW(static_cast<void>(compare(sides, options)), Error) << "one run has no spread";
}

TEST(Compare, OneTickOfACoarseClockIsNoDifference) {
  const auto* id = "step/tiny/dp2.tp2";
  const auto ticks = [](std::uint64_t seed, double value_s) {
    auto run = synthetic::run({.seed = seed, .collectives = false, .kernels = false});
    for (auto& record : run.records) {
      for (auto& series : record.series) {
        std::fill(series.values.begin(), series.values.end(), value_s);
      }
    }
    return run;
  };
  const auto compare_ticks = [&](double b_s) {
    return compare(std::vector{side("a", {ticks(1, 10e-6), ticks(2, 10e-6), ticks(3, 10e-6)}),
                               side("b", {ticks(4, b_s), ticks(5, b_s), ticks(6, b_s)})});
  };
  const auto one = compare_ticks(10.5e-6);
  EXPECT_EQ(verdict_of(one, id).verdict, Verdict::undecided);
  EXPECT_THAT(reason_text(verdict_of(one, id)), HasSubstr("clock's step of 5e-07 s"));
  EXPECT_EQ(verdict_of(compare_ticks(10e-6), id).verdict, Verdict::same);
}

TEST(Compare, WhatIsNotTheSameMeasurementIsNotCompared) {
  const auto a = synthetic::run({.seed = 1});
  const auto* id = "step/tiny/dp2.tp2";
  auto wanted = Verdict::not_comparable;
  const auto reason = [&](const std::function<void(Record&)>& change) {
    auto b = twin_of(a);
    for (auto& record : b.records) {
      if (record.case_id == id) {
        change(record);
      }
    }
    const auto v = verdict_of(compare_two(a, b), id);
    EXPECT_EQ(v.verdict, wanted);
    return v.reason;
  };
  EXPECT_THAT(reason([](Record& r) { r.provenance = Provenance::simulated; }),
              HasSubstr("provenance measured and simulated"));
  EXPECT_THAT(reason([](Record& r) { r.perf_valid = false; }),
              HasSubstr("candidate: not performance"));
  EXPECT_THAT(reason([](Record& r) { r.numbers[0].second = 1; }),
              HasSubstr("tokens_per_step is 2048 and 1"));
  EXPECT_THAT(reason([](Record& r) { r.texts[1].second = "dp=4"; }), HasSubstr("plan is"));
  wanted = Verdict::failed;
  EXPECT_THAT(reason([](Record& r) {
                r.outcome = Outcome::failed;
                r.checks.clear();
                r.reason = "rank 1 died";
              }),
              HasSubstr("twin.smk: rank 1 died"));
  EXPECT_THAT(reason([](Record& r) { r.checks[0].passed = false; }), HasSubstr("check failed"));
  wanted = Verdict::missing;
  EXPECT_THAT(reason([](Record& r) { r.case_id = "other"; }), HasSubstr("no such case"));
}

TEST(Compare, TooFewSamplesAreUndecided) {
  const auto a = synthetic::run({.seed = 1, .count = 3});
  EXPECT_EQ(verdict_of(compare_two(a, twin_of(a)), "step/tiny/dp2.tp2").verdict,
            Verdict::undecided);
}

TEST(Compare, DifferencesAreShownFingerprintFirst) {
  const auto a = synthetic::run({.seed = 1});
  auto b = synthetic::run({.seed = 2});  // another host name
  b.header.environment.facts[0].value = "Another CPU";
  b.header.config["workload"]["layers"] = 8;
  b.header.environment.facts.push_back({"variables", "NCCL_ALGO", "Ring"});
  const auto c = compare_unknown(a, b);
  const auto& d = c.sides[0].differences;
  ASSERT_EQ(d.size(), 4U);
  EXPECT_EQ(d[0].name, "/workload/layers");
  EXPECT_EQ(d[0].candidate, "8");
  EXPECT_EQ(d[1].candidate, "Another CPU");
  EXPECT_EQ(d[2].name, "NCCL_ALGO");
  EXPECT_FALSE(d[3].fingerprint);
  const auto text = comparison_table(c);
  EXPECT_THAT(text, HasSubstr("Another CPU"));
  EXPECT_THAT(text, HasSubstr("One run per side"));
}

TEST(Compare, RepetitionsReplaceTheAssumption) {
  const auto runs = [](std::uint64_t seed, double slowdown) {
    std::vector<stepmark::Run> out;  // inside a test, Run is a member of the test
    for (std::uint64_t i = 0; i < 5; ++i) {
      out.push_back(synthetic::run({.seed = seed + i,
                                    .slowdown = slowdown,
                                    .between_run_sd = 0.003,
                                    .collectives = false,
                                    .kernels = false}));
    }
    return out;
  };
  const auto c = compare(std::vector{side("a", runs(10, 1)), side("b", runs(20, 1.05))});
  const auto& v = verdict_of(c, "step/tiny/dp2.tp2");
  EXPECT_EQ(v.verdict, Verdict::slower);
  EXPECT_TRUE(std::isnan(v.assumed_sd));
}

TEST(Compare, RefusesWhatIsNoComparison) {
  const auto a = synthetic::run({.seed = 1});
  auto b = synthetic::run({.seed = 2});
  b.header.ranks = 8;
  EXPECT_THROW(static_cast<void>(compare(std::vector{side("a", {a})})), Error);
  EXPECT_THROW(static_cast<void>(compare(std::vector{side("a", {a}), side("b", {})})), Error);
  EXPECT_THROW(static_cast<void>(compare(std::vector{side("a", {a, b}), side("b", {b})})), Error);
  EXPECT_THROW(
      static_cast<void>(compare(std::vector{side("a", {a}), side("b", {b})}, {.margin = -1})),
      Error);
  EXPECT_THROW(static_cast<void>(read_side("a.smk,,b.smk")), Error);
}

TEST(Compare, RepetitionsMayDifferInBudgetAndNotInWhatIsRun) {
  RunSide first{.label = "a", .runs = {synthetic::run({.seed = 1}), synthetic::run({.seed = 2})}};
  const RunSide other{.label = "b", .runs = {synthetic::run({.seed = 3})}};
  first.runs[1].header.config["budget_s"] = 17.0;
  EXPECT_NO_THROW(static_cast<void>(compare(std::vector{first, other})));
  first.runs[1].header.config["workload"]["layers"] = 8;
  try {
    static_cast<void>(compare(std::vector{first, other}));
    FAIL() << "two configurations on one side";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("not repetitions of one configuration (workload"));
  }
}

TEST(Compare, OutputFitsAndIsComplete) {
  const auto c = compare(std::vector{side("a", {synthetic::run({.seed = 1})}),
                                     side("b", {synthetic::run({.seed = 2, .slowdown = 1.3})}),
                                     side("c", {synthetic::run({.seed = 3, .hostile = true})})});
  ASSERT_EQ(c.sides.size(), 2U);
  std::istringstream lines(comparison_table(c));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(display_width(line), kTableWidth) << line;
  }
  const auto json = to_json(c);
  EXPECT_EQ(json["worst"], "slower");
  EXPECT_EQ(json["sides"][0]["cases"].size(), c.sides[0].cases.size());
  EXPECT_EQ(json["sides"][0]["counts"]["slower"], c.sides[0].count(Verdict::slower));
}

}  // namespace
}  // namespace stepmark
