// SPDX-License-Identifier: Apache-2.0
// At which price a provider costs what another does: a drawing per pair, cost per token over the price of
// the one that is chosen, and a table of all pairs.
"use strict";

const breakEvens = (() => {
  const kPoints = 2; // a cost is a straight line of the price
  const kAround = 0.15; // of the range, left and right of what must be seen

  const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

  // Cost of `a` at each price with bounds, that of `b` at its price, and where both meet.
  function drawingOf(work, a, b) {
    const even = decision.breakEven(work, a, b);
    if (!even || !known(even.value)) return null;
    const seen = [even.value, even.lower, even.upper, a.price].filter((price) => known(price) && price > 0);
    const [least, most] = [Math.min(...seen), Math.max(...seen)];
    const margin = Math.max(most - least, 0.1 * most) * (0.5 + kAround);
    const range = [Math.max(0, least - margin), most + margin];
    const prices = [...Array(kPoints).keys()].map((i) => range[0] + ((range[1] - range[0]) * i) / (kPoints - 1));
    return { even, price: a.price, range, a: prices.map((price) => ({ x: price, ...decision.costAt(a, price) })), b: prices.map((price) => ({ x: price, value: b.value, lower: b.lower, upper: b.upper })) };
  }

  const wayTo = (even, price) => {
    if (!known(even.value) || !(price > 0)) return "";
    const change = even.value / price - 1;
    return `${change > 0 ? "+" : ""}${charts.percent(change)}`;
  };

  function rowOf(work, a, b, margin) {
    const even = decision.breakEven(work, a, b);
    if (!even) return null;
    return [
      decision.named(work),
      a.entry.provider,
      b.entry.provider,
      charts.number(b.price),
      a.price > 0 ? charts.number(a.price) : "no price",
      decision.interval(even),
      wayTo(even, a.price),
      decision.cheaperOf(work, a, b, margin) ? "cheaper" : decision.cheaperOf(work, b, a, margin) ? "dearer" : "undecided",
    ];
  }

  // {update}: draws and writes all of it again.
  function show(data, works, state, page) {
    const { el, table, section, chart } = page;
    const money = data.prices.currency;
    const places = el("div", { class: "pair" });
    const rows = el("div", {});
    const select = el("select", { id: "even-of", "aria-label": "provider whose price is drawn" }, ...data.providers.map((name) => el("option", { value: name }, name)));
    const incumbent = data.portfolio?.problem?.workloads.map((workload) => workload.now).find((name) => data.providers.includes(name));
    if (incumbent) select.value = incumbent;
    const charted = works.flatMap((work) => data.providers.slice(1).map((_, i) => ({ work, i, heading: el("p", { class: "chart-title" }) })));
    let ranked = new Map();
    const pairOf = ({ work, i }) => {
      const of = ranked.get(work) ?? [];
      const other = data.providers.filter((name) => name !== select.value)[i];
      return [of.find((one) => one.entry.provider === select.value), of.find((one) => one.entry.provider === other)];
    };
    const draws = [];
    for (const one of charted) {
      one.figure = chart("break-even", 0, () => {
        const [a, b] = pairOf(one);
        return evenChart(a && b ? drawingOf(one.work, a, b) : null, select.value, b?.entry.provider ?? "", money, data.providers);
      });
      one.figure.element.setAttribute("aria-label", "break-even; the table below has its figures");
      one.box = el("div", {}, one.heading, one.figure.element);
      places.append(one.box);
    }
    section(
      "break-even",
      "At which price it turns",
      "The rising line is what a provider's tokens cost at each price per GPU-hour, the level one what another's cost at the price it asks; where they meet both cost the same. Bands and the shaded stretch are 95 % intervals of the measured rates and of their ratio; the dotted line is the price asked.",
      el("p", {}, el("label", { for: "even-of" }, "Price of "), select),
      places,
      rows,
    );
    for (const one of charted) draws.push(one.figure.draw());

    function update() {
      ranked = new Map(works.map((work) => [work, decision.costs(work, state.providers)]));
      for (const one of charted) {
        const [a, b] = pairOf(one);
        one.heading.textContent = a && b ? `${decision.named(one.work)}: ${a.entry.provider} against ${b.entry.provider}${drawingOf(one.work, a, b) ? "" : ": no price, or no rate"}` : "";
        one.box.hidden = !(a && b);
      }
      draws.forEach((draw) => draw());
      const all = works.flatMap((work) => ranked.get(work).flatMap((a) => ranked.get(work).map((b) => (a === b ? null : rowOf(work, a, b, data.margin))))).filter(Boolean);
      rows.replaceChildren(table([["work", true], ["provider", true], ["breaks even with", true], ["which asks"], [`asks ${money}/GPU-h`], ["breaks even at"], ["way to there"], ["per token it is", true]], all));
    }
    select.addEventListener("change", update);
    return { update };
  }

  return { show };
})();
