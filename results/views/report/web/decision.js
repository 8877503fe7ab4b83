// SPDX-License-Identifier: Apache-2.0
// The decision at the top of a page of providers: which is cheaper per token, how sure that is, and at
// which price it turns. Prices can be changed; costs, ranks and break-even prices follow here, rates and
// verdicts on speed are those that were measured. Formulas: docs/decisions.md.
"use strict";

const decision = (() => {
  const kTokens = 1e6;
  const kSeconds = 3600;

  const figureOf = (entry, name) => entry.figures.find((figure) => figure.name === name);
  const known = (measured) => measured && measured.value !== null && measured.value !== undefined;

  // What a work's providers cost at `prices` (by provider, per GPU-hour) with what stands beside.
  function costs(work, prices, kind) {
    return work.providers
      .map((entry) => {
        const rate = figureOf(entry, "tokens_per_s_per_gpu");
        const listed = work.costs.find((cost) => cost.provider === entry.provider && cost.kind === kind);
        const extra = listed?.extra_per_gpu_hour ?? 0;
        const goodput = listed?.goodput ?? 1;
        const price = prices.get(entry.provider);
        if (!known(rate) || !(price > 0)) return { entry, price, value: null, lower: null, upper: null };
        const at = (speed) => (speed ? ((price + extra) / (speed * kSeconds * goodput)) * kTokens : null);
        return { entry, price, extra, goodput, value: at(rate.value), lower: at(rate.upper), upper: at(rate.lower) };
      })
      .sort((a, b) => (a.value ?? Infinity) - (b.value ?? Infinity));
  }

  // List price of `a` at which it costs what `b` does at its price, with the bounds of a ratio of their
  // rates: `rate_ratio`, or `decided_ratio`, which allows for all comparisons of the page.
  function breakEven(work, a, b, bounds = "rate_ratio") {
    const pair = work.pairs.find((one) => [one.a, one.b].includes(a.entry.provider) && [one.a, one.b].includes(b.entry.provider));
    if (!pair || !known(pair[bounds]) || !(b.price > 0)) return null;
    const turned = pair.a !== a.entry.provider;
    const ratio = (value) => (value ? (turned ? 1 / value : value) : null);
    const { value, lower, upper } = pair[bounds];
    const at = (r) => (r === null ? null : (b.price + b.extra) * r * (a.goodput / b.goodput) - a.extra);
    return { value: at(ratio(value)), lower: at(ratio(turned ? upper : lower)), upper: at(ratio(turned ? lower : upper)) };
  }

  // Cheaper than each other by more than the margin, whatever the rates are within their bounds; else it is
  // not decided. At the prices of the file this is never bolder than the comparison itself.
  function cheapestOf(work, ranked, margin) {
    const [first, ...others] = ranked;
    if (!first || first.value === null) return null;
    const decided =
      others.length > 0 &&
      others.every((other) => {
        const turn = other.value === null ? null : breakEven(work, first, other, "decided_ratio");
        return turn !== null && turn.lower !== null && first.price * (1 + margin) < turn.lower;
      });
    return { first, decided };
  }

  const named = (work) => work.equal.model ?? "work";

  // page: {el, table, section, chart, drawings}
  function show(data, page) {
    const { el, table, section } = page;
    const money = data.prices ? data.prices.currency : "";
    const kinds = [...new Set(data.works.flatMap((work) => work.costs.map((cost) => cost.kind)))];
    const prices = new Map();
    let kind = kinds[0] ?? "";
    const inputs = new Map();
    const results = el("div", { "aria-live": "polite" });
    const bars = page.chart("costs", 0, () => charts.costs(series(), `${money} per 10⁶ tokens`));

    function take(chosen) {
      kind = chosen;
      for (const provider of data.providers) {
        const listed = data.works.flatMap((work) => work.costs).find((cost) => cost.provider === provider && cost.kind === kind);
        prices.set(provider, listed?.per_gpu_hour ?? null);
        inputs.get(provider).value = listed ? listed.per_gpu_hour : "";
      }
    }
    const compared = () => data.works.filter((work) => !work.refused);
    const series = () =>
      data.providers.map((provider, run) => ({
        name: provider,
        run,
        values: compared().map((work) => costs(work, prices, kind).find((cost) => cost.entry.provider === provider) ?? null).map((cost, i) => cost && { ...cost, work: named(compared()[i]) }),
      }));

    function verdictOf(work, ranked) {
      const best = cheapestOf(work, ranked, data.margin);
      if (!best) return el("p", { class: "warn" }, `${named(work)}: no price, or no rate: nothing to rank.`);
      const text = best.decided
        ? `${named(work)}: ${best.first.entry.provider} is the cheapest per token.`
        : `${named(work)}: ${best.first.entry.provider} has the lowest figure, but the measurements do not decide it.`;
      return el("p", { class: best.decided ? "good" : "warn" }, text);
    }

    function interval(figure, unit = "") {
      if (!figure || figure.value === null) return "N/A";
      const range = figure.lower !== null && figure.upper !== null ? ` [${charts.number(figure.lower)}, ${charts.number(figure.upper)}]` : " [no interval]";
      return `${charts.number(figure.value)}${range}${unit}`;
    }

    function workParts(work) {
      const ranked = costs(work, prices, kind);
      const rows = ranked.map((cost) => [
        cost.entry.provider,
        el("span", { title: cost.entry.plan }, cost.entry.plans[0].case_id.replace(/^step\//, "")),
        `${cost.entry.runs} (${cost.entry.selection.replaceAll("_", " ")})`,
        charts.seconds(cost.entry.step_s.value),
        interval(figureOf(cost.entry, "tokens_per_s_per_gpu")),
        interval(cost),
        ...data.providers.map((other) => {
          const against = ranked.find((one) => one.entry.provider === other);
          return against && against !== cost ? interval(breakEven(work, cost, against)) : "";
        }),
      ]);
      const speeds = work.pairs.map((pair) => [`${pair.b} against ${pair.a}`, pair.verdict, interval(pair.rate_ratio), pair.spread.replaceAll("_", " ")]);
      return [
        verdictOf(work, ranked),
        table(
          [["provider", true], ["plan", true], ["runs"], ["step"], ["tokens/s/GPU"], [`${money}/10⁶ tokens`], ...data.providers.map((other) => [`even with ${other}`])],
          rows,
        ),
        el("details", {}, el("summary", {}, "speed alone"), table([["pair", true], ["verdict", true], ["rate of the first / of the second"], ["spread", true]], speeds)),
      ];
    }

    const refused = data.works.filter((work) => work.refused).map((work) => el("p", { class: "warn" }, `${named(work)}: not compared: ${work.refused}`));
    let redraw = () => {};
    function update() {
      results.replaceChildren(...compared().flatMap((work) => [el("h3", {}, named(work)), ...workParts(work)]));
      redraw();
    }

    const fields = data.providers.map((provider, index) => {
      const input = el("input", { type: "number", min: "0", step: "0.01", id: `price-${index}` });
      inputs.set(provider, input);
      input.addEventListener("input", () => {
        prices.set(provider, Number(input.value) > 0 ? Number(input.value) : null);
        update();
      });
      return el("label", { for: `price-${index}` }, `${provider} `, input);
    });
    const select = el("select", { "aria-label": "prices" }, ...kinds.map((one) => el("option", { value: one }, one)));
    select.addEventListener("change", () => {
      take(select.value);
      update();
    });
    const reset = el("button", { class: "button", type: "button" }, "As in the price file");
    reset.addEventListener("click", () => {
      take(select.value);
      update();
    });
    const notes = [...data.assumed.map((text) => `assumed: ${text}`), ...data.remarks];
    section(
      "decision",
      "Which provider",
      "The best measured plan of each for the same work. Costs and break-even prices follow the prices below, which can be changed; a break-even price is what a provider may ask per GPU-hour to cost as much as the other, with the interval of the measured rates. A verdict stands where that interval does not reach the price.",
      kinds.length ? el("form", { class: "prices" }, el("span", {}, `${money} per GPU-hour, `), select, ...fields, reset) : el("p", { class: "warn" }, "No price file was given: --prices FILE."),
      ...refused,
      results,
      bars.element,
      notes.length ? el("details", {}, el("summary", {}, `${notes.length} notes: what was assumed`), el("ul", {}, ...notes.map((text) => el("li", {}, text)))) : null,
    );
    if (kinds.length) take(kind);
    redraw = compared().length ? bars.draw() : redraw;
    update();
  }

  const amount = (value) => (value === null || value === undefined ? "N/A" : Math.round(value).toLocaleString("en-US"));

  function why(work) {
    if (!work.now) return "has no place today";
    if (!work.wanted) return "stays: nowhere cheaper";
    if (work.without_interval) return "undecided, stays: rates of one run have no interval";
    const saves = `saves ${amount(work.saving)} [${amount(work.lower)}, ${amount(work.upper)}]`;
    return work.decided ? `moves: ${saves}` : `undecided, stays: moving ${saves}`;
  }

  // Where each workload should run, at the prices of the file: it is not computed again here.
  function portfolio(data, { el, table, section }) {
    const mix = data.portfolio;
    if (mix.why) {
      section("portfolio", "Where to run the mix", "", el("p", { class: "warn" }, `Not possible: ${mix.why}`));
      return;
    }
    const now = mix.now === null ? "" : ` As it is now: ${amount(mix.now)}.`;
    section(
      "portfolio",
      "Where to run the mix",
      `The cheapest allocation of a month of ${mix.mix} at the price file's prices ${mix.prices}; a workload moves only where the measurements decide that it saves. Prices that are changed above do not change it.`,
      el("p", { class: "good" }, `${amount(mix.cost_per_month)} ${mix.currency} a month [${amount(mix.lower)}, ${amount(mix.upper)}].${now}`),
      table(
        [["workload", true], ["now", true], ["at", true], ["why", true]],
        mix.workloads.map((work) => [work.workload, work.now, Object.entries(work.shares).map(([name, share]) => `${name} ${charts.percent(share)}`).join(", "), why(work)]),
      ),
      table(
        [["provider", true], ["price/GPU-h"], ["GPU-hours"], ["paid"], ["one node more saves"], ["used below"], ["all here costs", true]],
        mix.providers.map((one) => [
          one.provider,
          charts.number(one.price_per_gpu_hour),
          amount(one.gpu_hours),
          amount(one.paid_gpu_hours),
          amount(one.one_more_node),
          one.used_below === null ? "" : charts.number(one.used_below),
          one.alone === null ? `not possible: ${one.alone_why}` : amount(one.alone),
        ]),
      ),
    );
  }

  return { show, portfolio, costs, breakEven };
})();
