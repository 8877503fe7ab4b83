// SPDX-License-Identifier: Apache-2.0
// What a mix names is looked up in the comparison and in the price file.
#include "harness/cli/portfolio.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"

namespace stepmark {
namespace {

const Price& price_of(const Mix& mix, const MixProvider& provider, const PriceFile& prices) {
  const ProviderPrices* of = prices.find(provider.provider);
  if (of != nullptr) {
    for (const Price& price : of->prices) {
      if (name_of(price.kind) == mix.price_kind) return price;
    }
  }
  throw Error(ExitCode::kUsage,
              fmt::format("{}:{}: provider '{}' has no price of kind '{}' in {}: add one, or name "
                          "another kind with 'prices:'",
                          mix.path, provider.line, provider.provider, mix.price_kind, prices.path));
}

const std::string& model_of(const WorkAcross& work) { return work.work.front().second; }

// The work that a workload is; nullptr: nobody measured it.
const WorkAcross* work_of(const Mix& mix, const MixWorkload& workload, const Across& across) {
  const WorkAcross* found = nullptr;
  for (const WorkAcross& work : across.works) {
    if (model_of(work) != workload.workload || !work.refused.empty()) continue;
    if (found != nullptr) {
      throw Error(
          ExitCode::kUsage,
          fmt::format("{}:{}: '{}' was measured as several kinds of work ({}): give journals "
                      "of one",
                      mix.path, workload.line, workload.workload,
                      work_difference(found->work, work.work)));
    }
    found = &work;
  }
  return found;
}

std::optional<PortfolioRate> rate_of(const WorkAcross* work, const std::string& provider) {
  if (work == nullptr) return std::nullopt;
  for (const BestPlan& best : work->best) {
    if (best.provider != provider) continue;
    for (const Figure& figure : best.figures) {
      if (figure.definition->name == "tokens_per_s_per_gpu" && figure.value) {
        return PortfolioRate{.median = *figure.value,
                             .lower = figure.lower.value_or(0),
                             .upper = figure.upper.value_or(0)};
      }
    }
  }
  return std::nullopt;
}

}  // namespace

PortfolioProblem portfolio_problem(const Mix& mix, const Across& across, const PriceFile& prices) {
  PortfolioProblem problem{.mix = mix};
  std::vector<std::optional<double>> goodput;
  for (const MixProvider& provider : mix.providers) {
    const Price& price = price_of(mix, provider, prices);
    problem.price_per_gpu_hour.push_back(price.per_gpu_hour);
    goodput.push_back(price.goodput);
  }
  // One that is not stated would favour its provider: then none counts.
  const bool all =
      std::all_of(goodput.begin(), goodput.end(), [](const auto& one) { return one.has_value(); });
  for (const auto& one : goodput) problem.goodput.push_back(all ? one.value_or(1) : 1);
  for (const MixWorkload& workload : mix.workloads) {
    const WorkAcross* work = work_of(mix, workload, across);
    auto& rates = problem.rates.emplace_back();
    for (const MixProvider& provider : mix.providers) {
      rates.push_back(rate_of(work, provider.provider));
    }
  }
  return problem;
}

}  // namespace stepmark
