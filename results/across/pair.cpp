// SPDX-License-Identifier: Apache-2.0
// The statistics are those of any comparison (results/compare/case_statistics): GPU-seconds per
// step take the place of times, and GPU-seconds times the price where money is judged. On top of
// their step-down over works stands Bonferroni's factor: pairs of providers x plans that were
// chosen among without confirmation.
#include "results/across/pair.h"

#include <algorithm>
#include <cmath>

#include "results/compare/case_statistics.h"

namespace stepmark {
namespace {

Groups scaled(Groups samples, double factor) {
  for (auto& run : samples) {
    for (double& value : run) value *= factor;
  }
  return samples;
}

struct Judged {
  Verdict verdict = Verdict::undecided;
  CaseStatistics statistics;
  double p_different = 1, p_not_same = 1;
  Interval of_all;  // that holds for all comparisons at once
};

CompareOptions with_confidence(CompareOptions options, double confidence) {
  options.confidence = confidence;
  options.history.clear();
  return options;
}

// `factor[i]`: what the candidate's samples are multiplied by.
std::vector<Judged> judge(const std::vector<PairOfPlans>& plans, const std::vector<double>& factor,
                          const AcrossOptions& options, std::size_t pairs) {
  std::vector<CaseSamples> cases;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    cases.push_back({.family = "step",
                     .baseline = plans[i].a->samples,
                     .candidate = scaled(plans[i].b->samples, factor[i]),
                     .history = {}});
  }
  const double alpha = 1 - options.compare.confidence;
  std::vector<Judged> out;
  const auto all = compare_cases(cases, with_confidence(options.compare, 1 - alpha));
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const double chosen = plans[i].a->correction * plans[i].b->correction;
    Judged judged{.statistics = all[i]};
    if (chosen > 1) {
      judged.statistics.interval =
          compare_cases(cases, with_confidence(options.compare, 1 - alpha / chosen))[i].interval;
    }
    const double tests = chosen * static_cast<double>(pairs);
    const double all_at_once = tests * static_cast<double>(plans.size());
    judged.of_all =
        compare_cases(cases, with_confidence(options.compare, 1 - alpha / all_at_once))[i].interval;
    judged.p_different = std::min(1.0, all[i].p_different * tests);
    judged.p_not_same = std::min(1.0, all[i].p_not_same * tests);
    if (judged.p_different < alpha) {
      judged.verdict = all[i].ratio > 1 ? Verdict::slower : Verdict::faster;
    } else if (judged.p_not_same < alpha) {
      judged.verdict = Verdict::same;
    }
    out.push_back(judged);
  }
  return out;
}

Measured ratio_of(const CaseStatistics& statistics) {
  return {statistics.ratio, statistics.interval.lower, statistics.interval.upper};
}

Measured reciprocal(const Measured& ratio) {
  return {1 / *ratio.value, 1 / *ratio.upper, 1 / *ratio.lower};
}

PriceSide side_of(const std::optional<GpuHour>& hour) {
  return hour ? PriceSide{.extra_per_gpu_hour = hour->extra, .goodput = hour->goodput}
              : PriceSide{};
}

// Of all works, for prices of one kind.
void add_money(const std::vector<PairOfPlans>& plans, const AcrossOptions& options,
               std::size_t pairs, PriceKind kind, std::vector<PairVerdict>& verdicts) {
  std::vector<PairOfPlans> priced;
  std::vector<std::size_t> at;
  std::vector<double> factor;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const auto a = gpu_hour(options, *plans[i].a, kind);
    const auto b = gpu_hour(options, *plans[i].b, kind);
    if (!a && !b) continue;
    PairMoney money{.kind = kind};
    const Measured& ratio = verdicts[i].rate_ratio;
    if (a) {
      money.price_a = a->list;
      money.break_even_b = break_even_price(a->list, reciprocal(ratio), side_of(b), side_of(a));
    }
    if (b) {
      money.price_b = b->list;
      money.break_even_a = break_even_price(b->list, ratio, side_of(a), side_of(b));
      money.slower_per_month = slowdown_cost_per_month(ratio, plans[i].b->gpus, b->list + b->extra);
    }
    verdicts[i].money.push_back(money);
    if (!a || !b) continue;
    priced.push_back(plans[i]);
    at.push_back(i);
    factor.push_back(plans[i].b->gpus / plans[i].a->gpus * b->delivered() / a->delivered());
  }
  const auto judged = judge(priced, factor, options, pairs);
  for (std::size_t i = 0; i < judged.size(); ++i) {
    PairMoney& money = verdicts[at[i]].money.back();
    money.cheaper = judged[i].verdict;
    money.cost_ratio = ratio_of(judged[i].statistics);
  }
}

}  // namespace

std::optional<GpuHour> gpu_hour(const AcrossOptions& options, const BestPlan& plan,
                                PriceKind kind) {
  const ProviderPrices* provider = options.prices ? options.prices->find(plan.provider) : nullptr;
  const Price* price = provider == nullptr ? nullptr : provider->find(kind);
  if (price == nullptr) return std::nullopt;
  const bool counts = std::find(options.delivered.begin(), options.delivered.end(), kind) !=
                      options.delivered.end();
  return GpuHour{.list = price->per_gpu_hour,
                 .extra = provider->extra.per_hour() / plan.gpus,
                 .goodput = counts ? price->goodput.value_or(1) : 1,
                 .stated = price->goodput};
}

std::vector<PairVerdict> judge_pair(const std::vector<PairOfPlans>& plans,
                                    const AcrossOptions& options, std::size_t pairs) {
  std::vector<double> factor;
  for (const PairOfPlans& one : plans) factor.push_back(one.b->gpus / one.a->gpus);
  std::vector<PairVerdict> out;
  for (const Judged& judged : judge(plans, factor, options, pairs)) {
    const CaseStatistics& s = judged.statistics;
    out.push_back({.verdict = judged.verdict,
                   .rate_ratio = ratio_of(s),
                   .decided_ratio = {s.ratio, judged.of_all.lower, judged.of_all.upper},
                   .adjusted_p = judged.p_different,
                   .same_p = judged.p_not_same,
                   .spread = s.spread,
                   .run_sd = std::hypot(s.common_sd, s.own_sd)});
  }
  if (options.prices) {
    for (const PriceKind kind : price_kinds()) add_money(plans, options, pairs, kind, out);
  }
  return out;
}

}  // namespace stepmark
