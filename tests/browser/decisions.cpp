// SPDX-License-Identifier: Apache-2.0
#include "decisions.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/output.h"
#include "generated_mix.h"
#include "results/across/across.h"
#include "results/money/calendar.h"
#include "results/portfolio/portfolio.h"
#include "results/views/json/across_json.h"
#include "results/views/json/portfolio_json.h"
#include "results/views/report/report.h"
#include "synthetic.h"

namespace stepmark {
namespace {

constexpr std::size_t kRunsEach = 3;

// Of three runs each: south is faster, west differs from it by less than is seen.
std::vector<Provider> three_providers() {
  std::vector<Provider> out{{"<i>north</i>", {}}, {"south", {}}, {"west", {}}};
  const std::vector<double> slowdown{1.0, 0.9, 0.905};
  for (std::size_t i = 0; i < kRunsEach * out.size(); ++i) {
    Run one = synthetic::run({.seed = 20 + i,
                              .name = fmt::format("run{}", i),
                              .slowdown = slowdown[i / kRunsEach],
                              .between_run_sd = 0.006});
    one.header.run_id += std::to_string(i);
    out[i / kRunsEach].runs.push_back(std::move(one));
  }
  return out;
}

// What north pays beside its GPUs is much, so that a margin on its price alone would be a small
// one.
AcrossOptions at_prices(double north, double south, double west) {
  AcrossOptions how;
  how.prices = parse_prices(
      fmt::format("prices: p\ncurrency: USD\nsource: s\ndate: 2026-11-01\nproviders:\n"
                  "  - {{provider: <i>north</i>, egress: {{per_gb: 0.1, gb_per_month: 50000}}, "
                  "prices: [{{kind: on-demand, goodput: 0.95, per_gpu_hour: {0}}}, "
                  "{{kind: 1-year, per_gpu_hour: {1}}}]}}\n"
                  "  - {{provider: south, egress: {{per_gb: 0.1, gb_per_month: 5000}}, "
                  "prices: [{{kind: on-demand, goodput: 0.96, per_gpu_hour: {2}}}]}}\n"
                  "  - {{provider: west, goodput: 0.93, prices: [{{kind: on-demand, per_gpu_hour: "
                  "{3}}}]}}\n",
                  north, 0.75 * north, south, west),
      "p.yaml");
  how.today = *parse_day("2026-11-20");
  return how;
}

constexpr double kNorth = 3, kSouth = 4.9, kWest = 5.05;

// Of the measured works.
PortfolioProblem mix_of(const Across& across) {
  PortfolioProblem problem{
      .mix = parse_mix("mix: <b>m</b>\nproviders:\n  - {provider: <i>north</i>, gpus: 64}\n"
                       "  - {provider: south, gpus: 64, minimum_gpus: 16}\n"
                       "  - {provider: west, gpus: 32, minimum_gpus: 8, committed: true}\n"
                       "workloads:\n"
                       "  - {workload: tiny, tokens_per_month: 1e12, now: <i>north</i>}\n"
                       "  - {workload: gpt2-124m-slice, tokens_per_month: 1e11, now: south, "
                       "deadline_days: 20}\n",
                       "mix.yaml"),
      .price_per_gpu_hour = {kNorth, kSouth, kWest},
      .rates = {},
      .goodput = {0.95, 0.96, 0.93}};
  for (const MixWorkload& workload : problem.mix.workloads) {
    auto& rates = problem.rates.emplace_back();
    for (const WorkAcross& work : across.works) {
      if (work.work.front().second != workload.workload) continue;
      for (const BestPlan& best : work.best) {
        const Figure& rate = best.figures.at(1);
        rates.push_back(PortfolioRate{*rate.value, *rate.lower, *rate.upper});
      }
    }
  }
  return problem;
}

void write_page(const std::filesystem::path& folder, const std::vector<Provider>& providers) {
  const Across found = across(providers, at_prices(kNorth, kSouth, kWest));
  nlohmann::json json = to_json(found);
  const PortfolioProblem problem = mix_of(found);
  json["portfolio"] = portfolio_json(problem, analyse(problem), "USD");
  json["portfolio"]["problem"] = portfolio_problem_json(problem);
  std::vector<Run> all;
  PageParts parts{.across = std::move(json)};
  for (const Provider& one : providers) {
    all.insert(all.end(), one.runs.begin(), one.runs.end());
    parts.owners.insert(parts.owners.end(), one.runs.size(), one.name);
  }
  write_output_file((folder / "decision.html").string(), report_html(all, parts));
}

// Verdicts on cost while the price of north moves, at several prices of the others.
void write_walk(const std::filesystem::path& folder, const std::vector<Provider>& providers) {
  constexpr int kSteps = 80;
  nlohmann::json walk = nlohmann::json::array();
  for (const double others : {1.0, 1.03}) {
    for (int i = 0; i < kSteps; ++i) {
      const double north = 2 + 2.4 * i / kSteps;
      const Across found = across(providers, at_prices(north, kSouth * others, kWest * others));
      nlohmann::json verdicts = nlohmann::json::array();
      for (std::size_t w = 0; w < found.works.size(); ++w) {
        for (const PairVerdict& pair : found.works[w].pairs) {
          for (const PairMoney& money : pair.money) {
            if (money.kind != PriceKind::on_demand || !money.cheaper) continue;
            verdicts.push_back({{"work", w},
                                {"a", found.works[w].best[pair.a].provider},
                                {"b", found.works[w].best[pair.b].provider},
                                {"verdict", name_of(*money.cheaper)}});
          }
        }
      }
      walk.push_back({{"prices", {north, kSouth * others, kWest * others}},
                      {"verdicts", std::move(verdicts)}});
    }
  }
  write_output_file((folder / "decision-walk.json").string(), walk.dump());
}

void write_mixes(const std::filesystem::path& folder) {
  constexpr std::uint64_t kMixes = 60;
  nlohmann::json all = nlohmann::json::array();
  for (std::uint64_t seed = 1; seed <= kMixes; ++seed) {
    const PortfolioProblem problem = generated_mix(seed);
    nlohmann::json one{{"problem", portfolio_problem_json(problem)},
                       {"answer", portfolio_json(problem, analyse(problem), "USD")}};
    one["answer"]["share"] = cheapest(problem).share;
    one["problem"]["price"] = problem.price_per_gpu_hour;
    one["problem"]["goodput"] = problem.goodput;
    all.push_back(std::move(one));
  }
  write_output_file((folder / "portfolios.json").string(), all.dump());
}

}  // namespace

void write_decisions(const std::filesystem::path& folder) {
  const std::vector<Provider> providers = three_providers();
  write_page(folder, providers);
  write_walk(folder, providers);
  write_mixes(folder);
}

}  // namespace stepmark
