// SPDX-License-Identifier: Apache-2.0
// Rates of what `across` says in worlds whose truth is known. Shared by the short test and the long
// simulation.
#pragma once

#include <cmath>
#include <cstdint>

#include "made_providers.h"
#include "results/money/calendar.h"

namespace stepmark::made {

struct Simulation {
  int comparisons = 400;
  int runs = 4;   // of each provider
  int plans = 1;  // equally fast ones of A, and of B:
  int plans_of_b = 1;
  double stated = 0;  // spread between runs that the comparison is told; 0: none
  double truth = 1;   // time of B / of A
  double margin = 0.02;
  Spread a = {}, b = {};
  std::uint64_t seed = 1;
};

struct Rates {
  double ratio_coverage = 0, break_even_coverage = 0;
  double false_verdicts = 0;  // a difference although there is none beyond the margin
  double found = 0;           // B slower
};

inline Rates simulate(const Simulation& s) {
  constexpr double kPrice = 2.5;  // of B
  AcrossOptions options{.compare = {.margin = s.margin}, .today = *parse_day("2026-11-29")};
  options.prices = parse_prices(
      "prices: x\ncurrency: USD\ndate: 2026-11-01\nsource: s\nproviders:\n"
      "  - {provider: B, prices: [{kind: on-demand, per_gpu_hour: 2.5}]}\n",
      "p.yaml");
  if (s.stated > 0) options.compare.run_spread = s.stated;
  Noise noise(s.seed);
  Rates out;
  const double one = 1.0 / s.comparisons;
  for (int i = 0; i < s.comparisons; ++i) {
    std::vector<PlanSpec> a, b;
    for (int p = 1; p <= s.plans; ++p) a.push_back({.plan = fmt::format("tp={}", p)});
    for (int p = 1; p <= s.plans_of_b; ++p) {
      b.push_back({.plan = fmt::format("tp={}", p), .seconds = s.truth});
    }
    const std::vector<Provider> providers = {provider("A", a, s.runs, noise, s.a),
                                             provider("B", b, s.runs, noise, s.b)};
    const Across result = across(providers, options);
    const PairVerdict& pair = result.works.at(0).pairs.at(0);
    const Measured& price = pair.money.at(0).break_even_a;
    out.ratio_coverage +=
        *pair.rate_ratio.lower <= s.truth && s.truth <= *pair.rate_ratio.upper ? one : 0;
    const double turns = kPrice * s.truth;
    out.break_even_coverage += *price.lower <= turns && turns <= *price.upper ? one : 0;
    const bool differs = pair.verdict == Verdict::slower || pair.verdict == Verdict::faster;
    const bool beyond = std::abs(std::log(s.truth)) > std::log1p(s.margin);
    out.false_verdicts += differs && !beyond ? one : 0;
    out.found += pair.verdict == Verdict::slower ? one : 0;
  }
  return out;
}

}  // namespace stepmark::made
