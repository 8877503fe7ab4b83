// SPDX-License-Identifier: Apache-2.0
// Figures in money. `price` is per GPU and hour, all in: what is paid for the job's GPUs and beside
// them, per GPU. Amounts are in the price's currency. Intervals are those of what was measured;
// prices and goodput are taken as exact. Definitions: docs/decisions.md.
#pragma once

#include <optional>

#include "results/normalise/figure.h"

namespace stepmark {

using normalise::Figure;
using normalise::Measured;

// price / (tokens/s/GPU x 3600) x 1e6.
[[nodiscard]] Figure cost_per_million_tokens(const Measured& tokens_per_s_per_gpu, double price);
// GPUs x price x step time / 3600.
[[nodiscard]] Figure cost_per_step(const Measured& step_s, double gpus, double price);
// The reciprocal: tokens/s/GPU x 3600 / price.
[[nodiscard]] Figure tokens_per_money(const Measured& tokens_per_s_per_gpu, double price);
// A cost over the share of paid time that advances the job, in (0, 1]; N/A where nobody states it.
[[nodiscard]] Figure delivered_cost(const Figure& cost, std::optional<double> goodput);

// What the same work costs more per month (730 h) when it takes `time_ratio` as long: GPUs x price
// x 730 x (ratio - 1). Negative where it takes less.
[[nodiscard]] Measured slowdown_cost_per_month(const Measured& time_ratio, double gpus,
                                               double price);

// One of two sides of a break-even: what stands beside its list price.
struct PriceSide {
  double extra_per_gpu_hour = 0;  // egress, storage: of the job, per GPU
  double goodput = 1;
};
// The list price per GPU-hour at which side `a` costs per useful token what `b` costs at `price_b`:
// (price_b + extra_b) x (tokens/s/GPU of a / of b) x (goodput a / b) - extra_a. The ratio's
// interval carries over. A value under 0: a cannot be cheap enough.
[[nodiscard]] Measured break_even_price(double price_b, const Measured& rate_ratio,
                                        const PriceSide& a = {}, const PriceSide& b = {});

}  // namespace stepmark
