// SPDX-License-Identifier: Apache-2.0
// A workload has a row per provider that it goes to; why it moves or stays stands in its first.
#include "results/views/table/portfolio_table.h"

#include <fmt/format.h>

#include "results/views/table/format.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

constexpr double kLeastShare = 5e-4;  // that is shown as a share of its own

// With groups of thousands, as a bill has them.
std::string amount(double value) {
  const std::string digits = fmt::format("{:.0f}", value);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    out.push_back(digits[i]);
    const std::size_t behind = digits.size() - 1 - i;
    if (digits[i] != '-' && behind > 0 && behind % 3 == 0) out.push_back(',');
  }
  return out;
}

std::string why_of(const MixWorkload& workload, const PortfolioMove& move) {
  if (workload.now.empty()) return "has no place today";
  if (!move.wanted) return "stays: nowhere cheaper";
  const std::string saves =
      fmt::format("saves {} [{}, {}]", amount(move.saving), amount(move.lower), amount(move.upper));
  if (move.without_interval) return "undecided, stays: rates of one run have no interval";
  return move.decided ? fmt::format("moves: {}", saves)
                      : fmt::format("undecided, stays: moving {}", saves);
}

std::string workloads_of(const PortfolioProblem& problem, const Portfolio& portfolio) {
  TextTable table({{"workload", Align::left},
                   {"tokens a month"},
                   {"at", Align::left},
                   {"share"},
                   {"now", Align::left},
                   {"why", Align::left}});
  for (std::size_t w = 0; w < problem.mix.workloads.size(); ++w) {
    const MixWorkload& workload = problem.mix.workloads[w];
    bool first = true;
    for (std::size_t p = 0; p < problem.mix.providers.size(); ++p) {
      const double share = portfolio.advised.share[w][p];
      if (share < kLeastShare) continue;
      table.add({first ? workload.workload : "",
                 first ? fmt::format("{:.3g}", workload.tokens_per_month) : "",
                 problem.mix.providers[p].provider, fmt::format("{:.1f} %", 100 * share),
                 first ? workload.now : "", first ? why_of(workload, portfolio.moves[w]) : ""});
      first = false;
    }
  }
  return table.text();
}

std::string providers_of(const PortfolioProblem& problem, const Portfolio& portfolio) {
  TextTable table({{"provider", Align::left},
                   {"price/GPU-h"},
                   {"GPUs"},
                   {"GPU-h used"},
                   {"paid"},
                   {"1 node more saves"},
                   {"used below"},
                   {"all here costs"}});
  for (std::size_t p = 0; p < problem.mix.providers.size(); ++p) {
    const ProviderWorth& worth = portfolio.worth[p];
    table.add(
        {problem.mix.providers[p].provider, fmt::format("{:.4g}", problem.price_per_gpu_hour[p]),
         fmt::format("{:g}", problem.mix.providers[p].gpus), amount(portfolio.advised.gpu_hours[p]),
         amount(portfolio.advised.paid_gpu_hours[p]), amount(worth.one_more_node),
         worth.used_below ? fmt::format("{:.4g}", *worth.used_below) : "",
         worth.alone ? amount(*worth.alone) : "not possible"});
  }
  return table.text();
}

}  // namespace

std::string portfolio_table(const PortfolioProblem& problem, const Portfolio& portfolio,
                            const std::string& currency) {
  if (!portfolio.cheapest.why.empty()) {
    return fmt::format("Portfolio {}: not possible: {}\n", problem.mix.name,
                       portfolio.cheapest.why);
  }
  std::string text = fmt::format("Portfolio {}: {} {} a month [{}, {}]", problem.mix.name,
                                 amount(portfolio.advised.cost_per_month), currency,
                                 amount(portfolio.lower), amount(portfolio.upper));
  if (portfolio.now) text += fmt::format("; as it is now {}", amount(*portfolio.now));
  if (portfolio.cheapest.cost_per_month < portfolio.advised.cost_per_month * (1 - 1e-9)) {
    text += fmt::format("; {} if all undecided moves were made",
                        amount(portfolio.cheapest.cost_per_month));
  }
  text +=
      fmt::format("\n{}\n{}", workloads_of(problem, portfolio), providers_of(problem, portfolio));
  return text +
         wrapped(fmt::format("The cheapest allocation of a month at prices '{}', by medians; "
                             "a workload moves only where it saves in {:g} % of {} resampled "
                             "rates. Prices and goodput are taken as exact.",
                             problem.mix.price_kind, 100 * kDecidedShare, kPortfolioSamples),
                 0);
}

}  // namespace stepmark
