// SPDX-License-Identifier: Apache-2.0
// Names are those of portfolio.h.
#include "results/views/json/portfolio_json.h"

#include <nlohmann/json.hpp>

namespace stepmark {
namespace {

using nlohmann::json;

json or_null(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

json workload_json(const PortfolioProblem& problem, const Portfolio& portfolio, std::size_t w) {
  const PortfolioMove& move = portfolio.moves[w];
  json shares = json::object();
  for (std::size_t p = 0; p < problem.mix.providers.size(); ++p) {
    if (portfolio.advised.share[w][p] > 0)
      shares[problem.mix.providers[p].provider] = portfolio.advised.share[w][p];
  }
  return {{"workload", problem.mix.workloads[w].workload},
          {"shares", std::move(shares)},
          {"now", problem.mix.workloads[w].now},
          {"wanted", move.wanted},
          {"decided", move.decided},
          {"without_interval", move.without_interval},
          {"saving", move.saving},
          {"lower", move.lower},
          {"upper", move.upper},
          {"probability", move.probability}};
}

json provider_json(const PortfolioProblem& problem, const Portfolio& portfolio, std::size_t p) {
  const ProviderWorth& worth = portfolio.worth[p];
  return {{"provider", problem.mix.providers[p].provider},
          {"price_per_gpu_hour", problem.price_per_gpu_hour[p]},
          {"gpu_hours", portfolio.advised.gpu_hours[p]},
          {"paid_gpu_hours", portfolio.advised.paid_gpu_hours[p]},
          {"one_more_node", worth.one_more_node},
          {"used_below", or_null(worth.used_below)},
          {"alone", or_null(worth.alone)},
          {"alone_why", worth.alone_why}};
}

json mix_provider_json(const MixProvider& provider) {
  return {{"provider", provider.provider},
          {"gpus", provider.gpus},
          {"minimum_gpus", provider.minimum_gpus},
          {"committed", provider.committed},
          {"gpus_per_node", provider.gpus_per_node}};
}

json mix_workload_json(const PortfolioProblem& problem, std::size_t w) {
  const MixWorkload& workload = problem.mix.workloads[w];
  json rates = json::array();
  for (const auto& rate : problem.rates[w]) {
    rates.push_back(
        rate ? json{{"median", rate->median}, {"lower", rate->lower}, {"upper", rate->upper}}
             : json(nullptr));
  }
  return {{"workload", workload.workload},
          {"tokens_per_month", workload.tokens_per_month},
          {"deadline_days", workload.deadline_days},
          {"may_run_on", workload.may_run_on},
          {"now", workload.now},
          {"rates", std::move(rates)}};
}

}  // namespace

json portfolio_problem_json(const PortfolioProblem& problem) {
  json out{{"samples", kPortfolioSamples},
           {"decided_share", kDecidedShare},
           {"hours_per_month", 24 * kDaysPerMonth},
           {"providers", json::array()},
           {"workloads", json::array()},
           {"draws", nullptr}};
  for (const MixProvider& provider : problem.mix.providers)
    out["providers"].push_back(mix_provider_json(provider));
  for (std::size_t w = 0; w < problem.mix.workloads.size(); ++w)
    out["workloads"].push_back(mix_workload_json(problem, w));
  if (problem.mix.providers.size() * problem.mix.workloads.size() <= kMostPagePairs)
    out["draws"] = portfolio_draws(problem);
  return out;
}

json portfolio_json(const PortfolioProblem& problem, const Portfolio& portfolio,
                    const std::string& currency) {
  json out{{"mix", problem.mix.name},
           {"currency", currency},
           {"prices", problem.mix.price_kind},
           {"why", portfolio.cheapest.why}};
  if (!portfolio.cheapest.why.empty()) return out;
  out["cost_per_month"] = portfolio.advised.cost_per_month;
  out["lower"] = portfolio.lower;
  out["upper"] = portfolio.upper;
  out["now"] = or_null(portfolio.now);
  out["cheapest_per_month"] = portfolio.cheapest.cost_per_month;
  for (std::size_t w = 0; w < problem.mix.workloads.size(); ++w)
    out["workloads"].push_back(workload_json(problem, portfolio, w));
  for (std::size_t p = 0; p < problem.mix.providers.size(); ++p)
    out["providers"].push_back(provider_json(problem, portfolio, p));
  return out;
}

}  // namespace stepmark
