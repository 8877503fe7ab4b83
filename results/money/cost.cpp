// SPDX-License-Identifier: Apache-2.0
// Quotients of measured rates and exact prices, so that an interval keeps its relative width.
#include "results/money/cost.h"

#include "results/money/prices.h"

namespace stepmark {
namespace {

using normalise::Definition;
using normalise::exactly;

constexpr double kSecondsPerHour = 3600;
constexpr double kMillion = 1e6;

constexpr Definition kPerTokens{"cost_per_1e6_tokens", "currency/1e6 tokens",
                                "price per GPU-hour / (tokens/s/GPU x 3600) x 1e6",
                                "GPUs x price / (tokens/s x 3600) x 1e6", false};
constexpr Definition kPerStep{"cost_per_step", "currency",
                              "GPUs x price per GPU-hour x step time / 3600", "", false};
constexpr Definition kTokens{"tokens_per_money", "tokens/currency",
                             "tokens/s/GPU x 3600 / price per GPU-hour", ""};
constexpr Definition kDelivered{"delivered_cost_per_1e6_tokens", "currency/1e6 tokens",
                                "cost / goodput", "docs/decisions.md", false};

template <class Change>
Measured each(const Measured& of, Change change) {
  const auto changed = [&](const std::optional<double>& value) {
    return value ? std::optional<double>(change(*value)) : std::nullopt;
  };
  return {changed(of.value), changed(of.lower), changed(of.upper)};
}

}  // namespace

Figure cost_per_million_tokens(const Measured& tokens_per_s_per_gpu, double price) {
  return quotient(kPerTokens, {"price", exactly(price * kMillion / kSecondsPerHour)},
                  {"tokens/s/GPU", tokens_per_s_per_gpu});
}

Figure cost_per_step(const Measured& step_s, double gpus, double price) {
  return quotient(kPerStep, {"step time", step_s},
                  {"price of the GPUs", exactly(kSecondsPerHour / (gpus * price))});
}

Figure tokens_per_money(const Measured& tokens_per_s_per_gpu, double price) {
  return quotient(kTokens, {"tokens/s/GPU", tokens_per_s_per_gpu},
                  {"price", exactly(price / kSecondsPerHour)});
}

Figure delivered_cost(const Figure& cost, std::optional<double> goodput) {
  return quotient(kDelivered, {"cost", cost.measured()},
                  {"goodput", goodput ? exactly(*goodput) : Measured{}});
}

Measured slowdown_cost_per_month(const Measured& time_ratio, double gpus, double price) {
  return each(time_ratio,
              [&](double ratio) { return gpus * price * kHoursPerMonth * (ratio - 1); });
}

Measured break_even_price(double price_b, const Measured& rate_ratio, const PriceSide& a,
                          const PriceSide& b) {
  return each(rate_ratio, [&](double ratio) {
    return (price_b + b.extra_per_gpu_hour) * ratio * (a.goodput / b.goodput) -
           a.extra_per_gpu_hour;
  });
}

}  // namespace stepmark
