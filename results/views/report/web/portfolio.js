// SPDX-License-Identifier: Apache-2.0
// Where each workload of a mix should run, solved again whenever a price, a commitment or the mix is changed.
"use strict";

const portfolio = (() => {
  const kPause = 120; // ms without a change before the mix is solved

  const amount = (value) => (value === null || value === undefined ? "N/A" : Math.round(value).toLocaleString("en-US"));

  // The mix as the reader has changed it.
  function problemOf(mix, state) {
    const chosen = mix.providers.map((one) => state.providers.get(one.provider));
    const counts = chosen.every((one) => !(one.price > 0) || one.goodput > 0); // none where one is silent
    return {
      ...mix,
      workloads: mix.workloads.map((workload, w) => ({ ...workload, tokens_per_month: state.tokens[w] })),
      providers: mix.providers.map((one, p) => ({ ...one, gpus: chosen[p].gpus, minimum_gpus: chosen[p].minimum_gpus, committed: chosen[p].committed && chosen[p].minimum_gpus > 0 })),
      price: chosen.map((one) => one.price),
      goodput: chosen.map((one) => (counts ? (one.goodput ?? 1) : 1)),
    };
  }

  function mistakeIn(problem) {
    const none = problem.workloads.find((workload) => !(workload.tokens_per_month > 0));
    if (none) return `${none.workload}: no tokens per month`;
    const wrong = problem.providers.find((one) => !(one.gpus >= 1) || one.minimum_gpus > one.gpus);
    return wrong ? `${wrong.provider}: ${wrong.minimum_gpus} GPUs at least, and ${wrong.gpus} can be had` : "";
  }

  function solve(mix, factors, state) {
    const problem = problemOf(mix, state);
    const why = mistakeIn(problem);
    return { problem, ...(why ? { why } : mixAnalysis.analyse(problem, factors)) };
  }

  function whyOf(workload, move) {
    if (!workload.now) return "has no place today";
    if (!move.wanted) return "stays: nowhere cheaper";
    if (move.decided && move.saving === 0) return "moves: it cannot stay";
    const saves = `saves ${amount(move.saving)} [${amount(move.lower)}, ${amount(move.upper)}]`;
    if (move.without_interval) return "undecided, stays: rates of one run have no interval";
    return move.decided ? `moves: ${saves}` : `undecided, stays: moving ${saves}`;
  }

  // In the shape of the program's own answer (results/views/json/portfolio_json).
  function answerOf({ problem, why, ...found }) {
    if (why) return { why };
    const shares = (w) => problem.providers.flatMap((one, p) => (found.advised.share[w][p] > 5e-4 ? [`${one.provider} ${charts.percent(found.advised.share[w][p])}`] : []));
    return {
      why: "",
      ...found,
      cost_per_month: found.advised.cost,
      workloads: problem.workloads.map((workload, w) => [workload.workload, workload.now, shares(w).join(", "), whyOf(workload, found.moves[w])]),
      providers: problem.providers.map((one, p) => {
        const worth = found.worth[p];
        return [
          one.provider,
          charts.number(problem.price[p]),
          amount(found.advised.hours[p]),
          amount(found.advised.paid[p]),
          amount(worth.one_more_node),
          worth.used_below === null ? "" : charts.number(worth.used_below),
          worth.alone === null ? `not possible: ${worth.alone_why}` : amount(worth.alone),
          worth.alone === null ? "" : amount(worth.alone - found.advised.cost),
        ];
      }),
    };
  }

  // The mix in a line: what it costs, what moves where, what stays because nothing decides it.
  function inShort({ why, moves, cost_per_month, lower, upper, workloads }, mix) {
    if (why) return `${mix.mix}: not possible: ${why}.`;
    const moving = workloads.filter((_, w) => moves[w].wanted && moves[w].decided).map(([name, , at]) => `${name} moves: ${at}`);
    const open = workloads.filter((_, w) => moves[w].wanted && !moves[w].decided).map(([name, now]) => `${name} stays at ${now}, undecided`);
    return `${[`${mix.mix}: ${amount(cost_per_month)} ${mix.currency} a month [${amount(lower)}, ${amount(upper)}]`, ...moving, ...open].join("; ")}.`;
  }

  function parts(answer, mix, { el, table }) {
    if (answer.why) return [el("p", { class: "warn" }, `Not possible: ${answer.why}`)];
    const undecided = answer.cheapest.cost < answer.advised.cost * (1 - 1e-9) ? ` ${amount(answer.cheapest.cost)} if all undecided moves were made.` : "";
    const now = answer.now === null ? "" : ` As it is now: ${amount(answer.now)}.`;
    return [
      el("p", { class: "good", id: "mix-cost" }, `${amount(answer.cost_per_month)} ${mix.currency} a month [${amount(answer.lower)}, ${amount(answer.upper)}].${now}${undecided}`),
      table([["workload", true], ["now", true], ["at", true], ["why", true]], answer.workloads),
      table([["provider", true], ["price/GPU-h"], ["GPU-hours"], ["paid"], ["one node more saves"], ["used below"], ["all here costs", true], ["more than advised"]], answer.providers),
    ];
  }

  // {update}: called on every change; what is shown meanwhile is marked as out of date.
  function show(data, state, page, changed, answer) {
    const mix = data.portfolio;
    const results = page.el("div", { "aria-live": "polite", id: "mix" });
    const solvable = mix.problem?.draws;
    const factors = solvable ? mixAnalysis.factorsOf(mix.problem) : null;
    const controls = solvable ? terms.tokensForm(state, mix.problem.workloads, page, changed) : null;
    const section = page.section(
      "portfolio",
      "Where to run the mix",
      `The cheapest allocation of a month of ${mix.mix}, at the prices, commitments and tokens on this page; a workload moves only where the measurements decide that it saves${mix.problem ? `: in ${charts.percent(mix.problem.decided_share)} of ${mix.problem.samples} resampled rates` : ""}. "Used below" is the price at which a provider that is not used would be.`,
      controls?.element ?? null,
      results,
    );
    if (!solvable) {
      const why = mix.why ? `Not possible: ${mix.why}` : "N/A here: the mix is too large to be solved in a page. The program's own output has it.";
      results.replaceChildren(page.el("p", { class: "warn" }, why));
      return { update: () => {}, show: () => {}, section };
    }
    let waiting = 0;
    const busy = (yes) => [results, answer].forEach((one) => one.setAttribute("aria-busy", String(yes)));
    function compute() {
      const found = answerOf(solve(mix.problem, factors, state));
      results.replaceChildren(...parts(found, mix, page));
      answer.className = found.why ? "warn" : "good";
      answer.textContent = inShort(found, mix);
      busy(false);
    }
    function update() {
      busy(true);
      clearTimeout(waiting);
      waiting = setTimeout(compute, kPause);
    }
    compute();
    return { update, show: controls.show, section };
  }

  return { show, solve };
})();
