// SPDX-License-Identifier: Apache-2.0
// A job of as many GPUs, all month long, is what is paid for: its work takes `ratio` as long at the
// candidate. Prices that differ between the sides count as part of the change.
#include "results/across/change_cost.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "results/families/step.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

struct Hour {
  double list = 0, extra = 0, goodput = 1;
  [[nodiscard]] double paid() const { return list + extra; }
};

std::optional<Hour> hour_of(const ProviderPrices* provider, PriceKind kind, double gpus) {
  const Price* price = provider == nullptr ? nullptr : provider->find(kind);
  if (price == nullptr) return std::nullopt;
  return Hour{.list = price->per_gpu_hour,
              .extra = provider->extra.per_hour() / gpus,
              .goodput = price->goodput.value_or(1)};
}

// Of a step; nothing of other cases, which no job consists of.
std::optional<double> gpus_of(std::span<const RunSide> sides, const std::string& id) {
  for (const RunSide& side : sides) {
    for (const Run& run : side.runs) {
      const Record* record = run.find(id);
      if (record == nullptr || record->text(facts::step::kWorkload).empty()) continue;
      const auto gpus = record->number(facts::step::kGpus);
      if (gpus && *gpus > 0) return gpus;
    }
  }
  return std::nullopt;
}

// value x factor + offset, of which the factor is positive.
Measured linear(const Measured& of, double factor, double offset) {
  const auto at = [&](const std::optional<double>& x) {
    return x ? std::optional(*x * factor + offset) : std::nullopt;
  };
  return {at(of.value), at(of.lower), at(of.upper)};
}

Measured ratio_of(const CaseVerdict& c) {
  Measured out{.value = c.ratio};
  if (std::isfinite(c.lower) && std::isfinite(c.upper)) {
    out.lower = c.lower;
    out.upper = c.upper;
  }
  return out;
}

// Of rates instead of times: candidate's over baseline's.
Measured reciprocal(const Measured& ratio) {
  const auto at = [](const std::optional<double>& x) {
    return x && *x > 0 ? std::optional(1 / *x) : std::nullopt;
  };
  return {at(ratio.value), at(ratio.upper), at(ratio.lower)};
}

std::optional<double> step_cost(double seconds, double gpus, const std::optional<Hour>& hour) {
  if (!hour) return std::nullopt;
  return cost_per_step({.value = seconds}, gpus, hour->paid()).value;
}

ChangeCost cost_of(const CaseVerdict& c, double gpus, PriceKind kind,
                   const std::optional<Hour>& baseline, const std::optional<Hour>& candidate) {
  ChangeCost out{.case_id = c.case_id, .kind = kind, .gpus = gpus};
  if (baseline) out.price_baseline = baseline->list;
  if (candidate) out.price_candidate = candidate->list;
  out.per_step_baseline = step_cost(c.baseline_s, gpus, baseline);
  out.per_step_candidate = step_cost(c.candidate_s, gpus, candidate);
  const Measured ratio = ratio_of(c);
  if (baseline && candidate) {
    const double month = gpus * kHoursPerMonth;
    out.per_month =
        linear(ratio, month * candidate->paid() * baseline->goodput / candidate->goodput,
               -month * baseline->paid());
  }
  if (baseline) {
    const Hour other = candidate.value_or(Hour{});
    out.break_even_candidate =
        break_even_price(baseline->list, reciprocal(ratio),
                         {.extra_per_gpu_hour = other.extra, .goodput = other.goodput},
                         {.extra_per_gpu_hour = baseline->extra, .goodput = baseline->goodput});
  }
  return out;
}

std::string shown(const std::string& name) { return name.empty() ? "of no name" : name; }

}  // namespace

std::vector<ChangeCost> change_costs(const SideComparison& comparison,
                                     std::span<const RunSide> sides,
                                     const std::array<std::string, 2>& providers,
                                     const PriceFile& prices) {
  const ProviderPrices* baseline = prices.find(providers[0]);
  const ProviderPrices* candidate = prices.find(providers[1]);
  if (baseline == nullptr && candidate == nullptr) {
    std::vector<std::string> names;
    for (const ProviderPrices& one : prices.providers) names.push_back(one.provider);
    throw Error(ExitCode::kUsage,
                fmt::format("{} has prices of {}, and the sides are {} and {}: name them, --label "
                            "{}=FILE.smk[,FILE.smk...] for each side, the baseline first",
                            prices.path.empty() ? prices.name : prices.path, fmt::join(names, ", "),
                            shown(providers[0]), shown(providers[1]),
                            names.empty() ? std::string("NAME") : names.front()));
  }
  std::vector<ChangeCost> out;
  for (const CaseVerdict& c : comparison.cases) {
    if (!std::isfinite(c.ratio) || !(c.ratio > 0)) continue;
    const auto gpus = gpus_of(sides, c.case_id);
    if (!gpus) continue;
    for (const PriceKind kind : price_kinds()) {
      const auto a = hour_of(baseline, kind, *gpus);
      const auto b = hour_of(candidate, kind, *gpus);
      if (a || b) out.push_back(cost_of(c, *gpus, kind, a, b));
    }
  }
  return out;
}

}  // namespace stepmark
