// SPDX-License-Identifier: Apache-2.0
// How long a portfolio takes: workloads x providers, every workload with a place today, a minimum
// at every provider and deadlines that bind.
#include <benchmark/benchmark.h>

#include <fmt/format.h>

#include "core/rng.h"
#include "results/portfolio/portfolio.h"

namespace {

using namespace stepmark;

PortfolioProblem made(std::int64_t workloads, std::int64_t providers) {
  const Philox random(1, 0);
  std::uint64_t draw = 0;
  PortfolioProblem problem;
  problem.mix.name = "bench";
  for (std::int64_t p = 0; p < providers; ++p) {
    problem.mix.providers.push_back({.provider = fmt::format("p{}", p),
                                     .gpus = 512 + 512 * random.uniform(draw++),
                                     .minimum_gpus = 64});
    problem.price_per_gpu_hour.push_back(2 + random.uniform(draw++));
    problem.goodput.push_back(1);
  }
  for (std::int64_t w = 0; w < workloads; ++w) {
    problem.mix.workloads.push_back({.workload = fmt::format("w{}", w),
                                     .tokens_per_month = 5e12 * (1 + random.uniform(draw++)),
                                     .deadline_days = w % 3 == 0 ? 10.0 : 30.0,
                                     .now = fmt::format("p{}", w % providers)});
    auto& rates = problem.rates.emplace_back();
    for (std::int64_t p = 0; p < providers; ++p) {
      const double median = 1e4 * (1 + random.uniform(draw++));
      rates.push_back(PortfolioRate{median, 0.98 * median, 1.02 * median});
    }
  }
  return problem;
}

void portfolio(benchmark::State& state) {
  const PortfolioProblem problem = made(state.range(0), state.range(1));
  double cost = 0;
  for (auto _ : state) {
    const Portfolio out = analyse(problem);
    if (!out.cheapest.why.empty()) state.SkipWithError(out.cheapest.why.c_str());
    cost = out.cheapest.cost_per_month;
  }
  state.counters["cost_per_month"] = cost;
}
BENCHMARK(portfolio)->Args({5, 3})->Args({20, 10})->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
