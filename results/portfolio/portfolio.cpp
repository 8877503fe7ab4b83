// SPDX-License-Identifier: Apache-2.0
// Decisions by resampling, worths by solving again: exact also where a minimum makes the cost jump,
// which a dual value of the relaxed programme is not.
#include "results/portfolio/portfolio.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/rng.h"

namespace stepmark {
namespace {

constexpr double kZ = 1.959963984540054;  // of a 95 % interval
constexpr double kNothing = 1e-9;         // of a share
constexpr int kHalvings = 10;             // of a price: to a thousandth
constexpr double kThousandths = 1000;     // of a standard deviation

using Rates = std::vector<std::vector<double>>;

// The sample's rates; `draw`: of its first pair.
Rates resampled(const PortfolioProblem& problem, std::vector<int>::const_iterator draw) {
  Rates out(problem.rates.size());
  for (std::size_t w = 0; w < out.size(); ++w) {
    for (const auto& rate : problem.rates[w]) {
      const double deviations = *draw++ / kThousandths;
      double value = rate ? rate->median : 1;
      if (rate && rate->lower > 0 && rate->upper > rate->lower) {
        value *= std::exp(deviations * std::log(rate->upper / rate->lower) / (2 * kZ));
      }
      out[w].push_back(value);
    }
  }
  return out;
}

// Value at a share of the sorted ones.
double at(const std::vector<double>& sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(std::lround(share * last))];
}

class Analysis {
 public:
  Analysis(const PortfolioProblem& problem, std::uint64_t seed) : problem_(problem) {
    const std::vector<int> draws = portfolio_draws(problem, seed);
    const std::ptrdiff_t pairs = std::ssize(draws) / kPortfolioSamples;
    for (std::ptrdiff_t i = 0; i < kPortfolioSamples; ++i) {
      rates_.push_back(resampled(problem, draws.begin() + i * pairs));
    }
    for (const MixWorkload& workload : problem.mix.workloads) {
      now_.push_back(place_of(workload.now));
    }
  }

  Portfolio all() {
    out_.cheapest = cheapest(problem_);
    if (!out_.cheapest.why.empty()) return std::move(out_);
    moves();
    advise();
    today();
    for (std::size_t p = 0; p < problem_.mix.providers.size(); ++p) {
      out_.worth.push_back(worth_of(p));
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] std::optional<std::size_t> place_of(const std::string& provider) const {
    for (std::size_t p = 0; p < problem_.mix.providers.size(); ++p) {
      if (problem_.mix.providers[p].provider == provider) return p;
    }
    return std::nullopt;
  }

  // Each workload by itself: the cheapest allocation against the cheapest in which it stays.
  void moves() {
    for (std::size_t w = 0; w < now_.size(); ++w) {
      PortfolioMove move;
      if (now_[w] && out_.cheapest.share[w][*now_[w]] < 1 - kNothing) {
        Restrictions stays{.held = std::vector<std::optional<std::size_t>>(now_.size())};
        stays.held[w] = now_[w];
        const Allocation kept = cheapest(problem_, stays);
        move.wanted = true;
        if (kept.why.empty()) {
          weigh(kept, move);
          move.without_interval = !rates_known(w);
          move.decided = move.decided && !move.without_interval;
        } else {
          move.decided = true;  // it cannot stay
          move.probability = 1;
        }
      }
      out_.moves.push_back(move);
    }
  }

  // Where the workload is and where it would go.
  [[nodiscard]] bool rates_known(std::size_t w) const {
    for (std::size_t p = 0; p < problem_.rates[w].size(); ++p) {
      const bool counts = out_.cheapest.share[w][p] > kNothing || p == *now_[w];
      if (counts && !(problem_.rates[w][p] && problem_.rates[w][p]->has_interval())) return false;
    }
    return true;
  }

  void weigh(const Allocation& kept, PortfolioMove& move) const {
    std::vector<double> savings;
    for (const Rates& rates : rates_) {
      savings.push_back(cost_of(problem_, kept, rates) - cost_of(problem_, out_.cheapest, rates));
    }
    std::sort(savings.begin(), savings.end());
    move.saving = at(savings, 0.5);
    move.lower = at(savings, 0.025);
    move.upper = at(savings, 0.975);
    const auto better =
        std::count_if(savings.begin(), savings.end(), [](double s) { return s > 0; });
    move.probability = static_cast<double>(better) / static_cast<double>(savings.size());
    move.decided = move.probability >= kDecidedShare;
  }

  // A share only moves if it is decided. Where all that is held at once does not fit, what was
  // cheapest stands.
  void advise() {
    Restrictions held{.held = std::vector<std::optional<std::size_t>>(now_.size())};
    for (std::size_t w = 0; w < now_.size(); ++w) {
      const bool stays = now_[w] && !(out_.moves[w].wanted && out_.moves[w].decided);
      if (stays) held.held[w] = now_[w];
    }
    out_.advised = cheapest(problem_, held);
    if (!out_.advised.why.empty()) out_.advised = out_.cheapest;
    std::vector<double> costs;
    for (const Rates& rates : rates_) costs.push_back(cost_of(problem_, out_.advised, rates));
    std::sort(costs.begin(), costs.end());
    out_.lower = at(costs, 0.025);
    out_.upper = at(costs, 0.975);
  }

  void today() {
    if (std::any_of(now_.begin(), now_.end(), [](const auto& one) { return !one; })) return;
    const Allocation kept = cheapest(problem_, {.held = now_});
    if (kept.why.empty()) out_.now = kept.cost_per_month;
  }

  [[nodiscard]] ProviderWorth worth_of(std::size_t p) const {
    ProviderWorth out;
    PortfolioProblem more = problem_;
    MixProvider& provider = more.mix.providers[p];
    provider.gpus += static_cast<double>(provider.gpus_per_node);
    const Allocation with = cheapest(more);
    if (with.why.empty())
      out.one_more_node = std::max(0.0, out_.cheapest.cost_per_month - with.cost_per_month);
    Restrictions alone{.closed = std::vector<bool>(problem_.mix.providers.size(), true)};
    alone.closed[p] = false;
    const Allocation all_here = cheapest(problem_, alone);
    out.alone_why = all_here.why;
    if (all_here.why.empty()) out.alone = all_here.cost_per_month;
    if (out_.cheapest.gpu_hours[p] <= kNothing) out.used_below = threshold(p);
    return out;
  }

  // Cheaper never makes a provider less used, so that halving finds the price.
  [[nodiscard]] std::optional<double> threshold(std::size_t p) const {
    const auto used_at = [&](double price) {
      PortfolioProblem cheaper = problem_;
      cheaper.price_per_gpu_hour[p] = price;
      const Allocation with = cheapest(cheaper);
      return with.why.empty() && with.gpu_hours[p] > kNothing;
    };
    double high = problem_.price_per_gpu_hour[p];
    double low = high / 1024;
    if (!used_at(low)) return std::nullopt;
    for (int i = 0; i < kHalvings; ++i) {
      const double middle = (low + high) / 2;
      (used_at(middle) ? low : high) = middle;
    }
    return low;
  }

  const PortfolioProblem& problem_;
  std::vector<Rates> rates_;
  std::vector<std::optional<std::size_t>> now_;
  Portfolio out_;
};

}  // namespace

std::vector<int> portfolio_draws(const PortfolioProblem& problem, std::uint64_t seed) {
  const Philox random(seed, 0);
  std::vector<int> out;
  for (int sample = 0; sample < kPortfolioSamples; ++sample) {
    std::uint64_t index = static_cast<std::uint64_t>(sample) * kMostWorkloads * kMostProviders;
    for (const auto& of_workload : problem.rates) {
      for (const auto& rate : of_workload) {
        const double draw = random.normal(index++);
        out.push_back(rate ? static_cast<int>(std::lround(kThousandths * draw)) : 0);
      }
    }
  }
  return out;
}

Portfolio analyse(const PortfolioProblem& problem, std::uint64_t seed) {
  return Analysis(problem, seed).all();
}

}  // namespace stepmark
