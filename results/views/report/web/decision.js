// SPDX-License-Identifier: Apache-2.0
// The decision at the top of a page of providers: which is cheaper per token, how sure that is, and at
// which price it turns. Prices can be changed; costs, ranks and break-even prices follow here, rates and
// verdicts on speed are those that were measured. Formulas: docs/decisions.md.
"use strict";

const decision = (() => {
  const kTokens = 1e6;
  const kSeconds = 3600;
  const kHoursPerMonth = 730;

  const figureOf = (entry, name) => entry.figures.find((figure) => figure.name === name);
  const known = (measured) => measured && measured.value !== null && measured.value !== undefined;
  const named = (work) => work.equal.model ?? "work";

  function interval(figure, unit = "") {
    if (!figure || figure.value === null) return "N/A";
    const bounded = figure.lower !== null && figure.upper !== null;
    return `${charts.number(figure.value)}${bounded ? ` [${charts.number(figure.lower)}, ${charts.number(figure.upper)}]` : " [no interval]"}${unit}`;
  }

  // What 10^6 tokens cost at `price`, with bounds; side: of costs().
  function costAt({ rate, extra, goodput }, price) {
    const at = (speed) => (speed ? ((price + extra) / (speed * kSeconds * goodput)) * kTokens : null);
    return { value: at(rate.value), lower: at(rate.upper), upper: at(rate.lower) };
  }

  // Goodput counts where all that have a price state theirs: one that is silent would look cheaper.
  const goodputCounts = (chosen) => [...chosen.values()].every(({ price, goodput, compared }) => compared === false || !(price > 0) || goodput > 0);

  // The term that all compared providers have; null: they have different ones.
  function kindOfAll(chosen) {
    const kinds = new Set([...chosen.values()].filter((one) => one.compared !== false).map((one) => one.kind));
    return kinds.size === 1 ? ([...kinds][0] ?? null) : null;
  }

  // What a work's providers cost, the cheapest first. chosen: Map provider -> {price per GPU-hour, goodput,
  // compared: false where only a mix names it}.
  function costs(work, chosen) {
    const counts = goodputCounts(chosen);
    const kind = kindOfAll(chosen);
    return work.providers
      .map((entry) => {
        const rate = figureOf(entry, "tokens_per_s_per_gpu");
        const extra = work.costs.find((cost) => cost.provider === entry.provider)?.extra_per_gpu_hour ?? 0;
        const { price = null, goodput } = chosen.get(entry.provider) ?? {};
        const listed = kind === null ? null : (work.costs.find((cost) => cost.provider === entry.provider && cost.kind === kind)?.per_gpu_hour ?? null);
        const side = { entry, rate, price, kind, listed, extra, stated: goodput ?? null, goodput: counts ? (goodput ?? 1) : 1 };
        return { ...side, ...(known(rate) && price > 0 ? costAt(side, price) : { value: null, lower: null, upper: null }) };
      })
      .sort((a, b) => (a.value ?? Infinity) - (b.value ?? Infinity));
  }

  const pairOf = (work, a, b) => work.pairs.find((one) => [one.a, one.b].includes(a.entry.provider) && [one.a, one.b].includes(b.entry.provider));

  // Rate of `a` over that of `b`, with the bounds of `rate_ratio`, or of `decided_ratio`, which allows for
  // all comparisons of the page.
  function ratioOf(work, a, b, bounds) {
    const pair = pairOf(work, a, b);
    if (!pair || !known(pair[bounds])) return null;
    const { value, lower, upper } = pair[bounds];
    const turned = (one) => (one ? 1 / one : null);
    return pair.a === a.entry.provider ? { value, lower, upper } : { value: turned(value), lower: turned(upper), upper: turned(lower) };
  }

  // List price of `a` at which it costs what `b` does at its price.
  function breakEven(work, a, b, bounds = "rate_ratio") {
    const ratio = ratioOf(work, a, b, bounds);
    if (!ratio || !(b.price > 0)) return null;
    const at = (r) => (r === null ? null : (b.price + b.extra) * r * (a.goodput / b.goodput) - a.extra);
    return { value: at(ratio.value), lower: at(ratio.lower), upper: at(ratio.upper) };
  }

  // The comparison's own verdict, that `a` is cheaper: at the prices of the file, and so where `a` asks no more
  // and `b` no less.
  function foundCheaper(work, a, b) {
    const pair = pairOf(work, a, b);
    const money = pair?.money.find((one) => one.kind === a.kind);
    const verdict = pair?.a === a.entry.provider ? "slower" : "faster";
    return money?.cost_verdict === verdict && a.price > 0 && a.listed !== null && b.listed !== null && a.price <= a.listed && b.price >= b.listed;
  }

  // Cheaper by more than the margin: by that verdict, or, all that is paid counted, whatever the rates are within
  // the bounds of all comparisons. Never bolder than the comparison itself.
  function cheaperOf(work, a, b, margin) {
    if (foundCheaper(work, a, b)) return true;
    const turn = a.price > 0 ? breakEven(work, a, b, "decided_ratio") : null;
    return turn !== null && turn.lower !== null && (a.price + a.extra) * (1 + margin) < turn.lower + a.extra;
  }

  function cheapestOf(work, ranked, margin) {
    const [first, ...others] = ranked;
    if (!first || first.value === null) return null;
    return { first, decided: others.length > 0 && others.every((other) => other.value !== null && cheaperOf(work, first, other, margin)) };
  }

  // What the work of `b` costs more per month than at the speed of `a`, at the price of `b`.
  function slowdownOf(work, a, b) {
    const ratio = ratioOf(work, a, b, "rate_ratio");
    const at = (r) => (r === null ? null : b.entry.gpus * (b.price + b.extra) * kHoursPerMonth * (r - 1));
    return ratio && b.price > 0 && b.entry.gpus > 0 ? { value: at(ratio.value), lower: at(ratio.lower), upper: at(ratio.upper) } : null;
  }

  function verdictOf(work, ranked, margin) {
    const best = cheapestOf(work, ranked, margin);
    if (!best) return { sure: false, text: `${named(work)}: no price, or no rate: nothing to rank.` };
    const name = best.first.entry.provider;
    const text = best.decided ? `${named(work)}: ${name} is the cheapest per token.` : `${named(work)}: ${name} has the lowest figure, but the measurements do not decide it.`;
    return { sure: best.decided, text };
  }

  // Tables of one work.
  function workParts(work, ranked, money, { el, table }) {
    const rows = ranked.map((cost) => [
      cost.entry.provider,
      el("span", { title: cost.entry.plan }, cost.entry.plans[0].case_id.replace(/^step\//, "")),
      `${cost.entry.runs} (${cost.entry.selection.replaceAll("_", " ")})`,
      charts.seconds(cost.entry.step_s.value),
      interval(cost.rate),
      cost.value === null ? "N/A" : interval(costAt({ ...cost, goodput: 1 }, cost.price)),
      cost.value === null || cost.stated === null ? el("span", { class: "soft", title: "its goodput is not stated" }, "N/A") : interval(costAt({ ...cost, goodput: cost.stated }, cost.price)),
    ]);
    const sideOf = (name) => ranked.find((one) => one.entry.provider === name);
    const speeds = work.pairs.map((pair) => [
      `${pair.b} against ${pair.a}`,
      pair.verdict,
      interval(pair.rate_ratio),
      pair.spread.replaceAll("_", " "),
      interval(slowdownOf(work, sideOf(pair.a), sideOf(pair.b))),
    ]);
    return [
      el("h3", {}, named(work)),
      table([["provider", true], ["plan", true], ["runs"], ["step"], ["tokens/s/GPU"], [`${money}/10⁶ tokens`], ["delivered"]], rows),
      el("details", {}, el("summary", {}, "speed alone"), table([["pair", true], ["verdict", true], ["rate of the first / of the second"], ["spread", true], [`slower costs ${money} a month`]], speeds)),
    ];
  }

  // page: {el, table, section, chart}
  function show(data, page) {
    const { el, section } = page;
    const money = data.prices ? data.prices.currency : "";
    const state = terms.stateOf(data);
    const works = data.works.filter((work) => !work.refused);
    const answer = el("div", { "aria-live": "polite", id: "answer" });
    const ofMix = el("p", { id: "answer-mix" });
    const results = el("div", {});
    const priced = state.kinds.length > 0;
    const parts = [];
    const changed = () => parts.forEach((part) => part.update());
    const form = priced ? terms.form(state, money, page, changed) : null;
    // A drawing per work: their costs may be orders of magnitude apart.
    const seriesOf = (work) =>
      data.providers.map((provider, run) => {
        const cost = costs(work, state.providers).find((one) => one.entry.provider === provider);
        return { name: provider, run, values: [cost ? { ...cost, work: named(work) } : null] };
      });
    const bars = works.map((work) => page.chart("costs", 0, () => charts.costs(seriesOf(work), `${money} per 10⁶ tokens`)));
    const refused = data.works.filter((work) => work.refused).map((work) => el("p", { class: "warn" }, `${named(work)}: not compared: ${work.refused}`));
    const notes = [...data.assumed.map((text) => `assumed: ${text}`), ...data.remarks];
    section(
      "decision",
      "Which provider",
      "The best measured plan of each for the same work. Everything here follows the prices, terms and commitments below, which can be changed. Ranked by delivered cost where all state their goodput, else by cost. A provider is called the cheapest only where the intervals of the measured rates leave no other.",
      answer,
      form?.element ?? el("p", { class: "warn" }, "No price file was given: --prices FILE."),
      ...refused,
      results,
      el("div", { class: "pair" }, ...bars.map((figure) => figure.element)),
      notes.length ? el("details", {}, el("summary", {}, `${notes.length} notes: what was assumed`), el("ul", {}, ...notes.map((text) => el("li", {}, text)))) : null,
    );
    const redraws = bars.map((figure) => figure.draw());
    parts.push({
      update: () => {
        const ranked = works.map((work) => costs(work, state.providers));
        const verdicts = works.map((work, i) => verdictOf(work, ranked[i], data.margin));
        answer.replaceChildren(...verdicts.map(({ sure, text }) => el("p", { class: sure ? "good" : "warn" }, text)), ofMix);
        results.replaceChildren(...works.flatMap((work, i) => workParts(work, ranked[i], money, page)));
        redraws.forEach((redraw) => redraw());
      },
    });
    if (priced && works.length) parts.push(breakEvens.show(data, works, state, page));
    const mix = data.portfolio ? portfolio.show(data, state, page, changed, ofMix) : null;
    if (mix) parts.push(mix);
    form?.reset.addEventListener("click", () => {
      state.reset();
      form.show();
      mix?.show();
      changed();
    });
    changed();
  }

  return { show, costs, costAt, breakEven, cheaperOf, cheapestOf, slowdownOf, interval, named };
})();
