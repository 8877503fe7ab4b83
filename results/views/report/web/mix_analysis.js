// SPDX-License-Identifier: Apache-2.0
// What to do with a mix, as results/portfolio/portfolio has it: which moves the measurements decide, what a
// node more or a lower price is worth, what one provider alone costs. The draws of the resampled rates are
// those of the program, so that at equal prices the page decides as it does.
"use strict";

const mixAnalysis = (() => {
  const kZ = 1.959963984540054; // of a 95 % interval
  const kNothing = 1e-9; // of a share
  const kHalvings = 10; // of a price: to a thousandth
  const kThousandths = 1000;

  // By which each resampled rate differs from its median: [sample][workload][provider]; null without draws.
  function factorsOf({ draws, workloads }) {
    if (!draws) return null;
    const rates = workloads.flatMap((workload) => workload.rates);
    const widths = rates.map((rate) => (rate && rate.lower > 0 && rate.upper > rate.lower ? Math.log(rate.upper / rate.lower) / (2 * kZ) : 0));
    return Float64Array.from(draws, (draw, i) => Math.exp((draw / kThousandths) * widths[i % widths.length]));
  }

  const at = (sorted, share) => sorted[Math.round(share * (sorted.length - 1))];
  const hasInterval = (rate) => Boolean(rate) && rate.lower > 0 && rate.upper >= rate.lower;

  function moveOf(problem, factors, best, places, w) {
    const move = { wanted: false, decided: false, without_interval: false, saving: 0, lower: 0, upper: 0, probability: 0 };
    const now = places[w];
    if (now === null || best.share[w][now] >= 1 - kNothing) return move;
    move.wanted = true;
    const kept = allocation.cheapest(problem, { held: places.map((place, i) => (i === w ? place : null)) });
    if (kept.why) return { ...move, decided: true, probability: 1 }; // it cannot stay
    const there = allocation.costsOf(problem, best, factors);
    const savings = allocation.costsOf(problem, kept, factors).map((cost, i) => cost - there[i]).sort();
    move.saving = at(savings, 0.5);
    move.lower = at(savings, 0.025);
    move.upper = at(savings, 0.975);
    move.probability = savings.filter((saving) => saving > 0).length / savings.length;
    move.without_interval = problem.workloads[w].rates.some((rate, p) => (best.share[w][p] > kNothing || p === now) && !hasInterval(rate));
    move.decided = move.probability >= problem.decided_share && !move.without_interval;
    return move;
  }

  // The price under which a provider that is not used would be; null: at none.
  function usedBelow(problem, p) {
    const usedAt = (price) => {
      const solved = allocation.cheapest({ ...problem, price: problem.price.with(p, price) });
      return !solved.why && solved.hours[p] > kNothing;
    };
    let high = problem.price[p];
    let low = high / 1024;
    if (!usedAt(low)) return null;
    for (let i = 0; i < kHalvings; ++i) {
      const middle = (low + high) / 2;
      if (usedAt(middle)) low = middle;
      else high = middle;
    }
    return low;
  }

  function worthOf(problem, best, p) {
    const provider = problem.providers[p];
    const more = { ...provider, gpus: provider.gpus + provider.gpus_per_node };
    const known = problem.price[p] > 0;
    const with_more = allocation.cheapest({ ...problem, providers: problem.providers.with(p, more) });
    const alone = allocation.cheapest(problem, { only: p });
    return {
      one_more_node: with_more.why || !known ? 0 : Math.max(0, best.cost - with_more.cost),
      alone: alone.why ? null : alone.cost,
      alone_why: alone.why,
      used_below: known && best.hours[p] <= kNothing ? usedBelow(problem, p) : null,
    };
  }

  // {why} or {cheapest, advised, lower, upper, now, moves, worth}; factors: of factorsOf().
  function analyse(problem, factors) {
    const places = problem.workloads.map(({ now }) => {
      const place = problem.providers.findIndex((one) => one.provider === now);
      return place < 0 ? null : place;
    });
    const unpriced = places.findIndex((p) => p !== null && !(problem.price[p] > 0));
    if (unpriced >= 0) return { why: `${problem.workloads[unpriced].workload}: runs at ${problem.workloads[unpriced].now}, which has no price` };
    const cheapest = allocation.cheapest(problem);
    if (cheapest.why) return { why: cheapest.why };
    const moves = problem.workloads.map((_, w) => moveOf(problem, factors, cheapest, places, w));
    const held = allocation.cheapest(problem, { held: places.map((place, w) => (moves[w].wanted && moves[w].decided ? null : place)) });
    const advised = held.why ? cheapest : held;
    const costs = allocation.costsOf(problem, advised, factors).sort();
    const today = places.includes(null) ? { why: "no place" } : allocation.cheapest(problem, { held: places });
    return {
      why: "",
      cheapest,
      advised,
      lower: at(costs, 0.025),
      upper: at(costs, 0.975),
      now: today.why ? null : today.cost,
      moves,
      worth: problem.providers.map((_, p) => worthOf(problem, cheapest, p)),
    };
  }

  return { factorsOf, analyse };
})();
