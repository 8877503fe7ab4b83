// SPDX-License-Identifier: Apache-2.0
// Where the time of a step goes, side by side: one bar per provider (or run) and plan that did the same
// work, longest parts comparable by length, and the same as a table.
"use strict";

const split = (() => {
  const middle = (values) => {
    const sorted = values.slice().sort((a, b) => a - b);
    const half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  };

  // Works (texts) -> bars [{name, colour, runs, parts: {name: seconds}}]: the runs of one owner and case are
  // one bar, of their medians.
  function works(runs, family, { ok, title, many }) {
    const out = new Map();
    for (const run of runs) {
      for (const record of ok(run, family.name).filter((r) => r.split.length)) {
        const work = record.texts[family.section.split_by] || title(record);
        const own = out.get(work) ?? out.set(work, new Map()).get(work);
        const who = run.owner || (many ? run.label : "");
        const key = JSON.stringify([who, record.case_id]);
        const bar = own.get(key) ?? own.set(key, { who, what: title(record), colour: run.colour, all: [] }).get(key);
        bar.all.push(Object.fromEntries(record.split.map((part) => [part.name, part.seconds ?? 0])));
        bar.marked ||= !record.perf_valid;
      }
    }
    return new Map([...out].map(([work, bars]) => [work, [...bars.values()].map(medianOf)]));
  }

  function medianOf(bar) {
    const names = [...new Set(bar.all.flatMap(Object.keys))];
    const parts = Object.fromEntries(names.map((name) => [name, middle(bar.all.map((one) => one[name] ?? 0))]));
    return { ...bar, runs: bar.all.length, parts };
  }

  const whole = (bar) => Object.values(bar.parts).reduce((sum, value) => sum + value, 0);

  // page: {el, table, chart, key, ok, title, many}
  function show(runs, family, drawings, page) {
    const { el, table, chart, key } = page;
    const all = works(runs, family, page);
    if (all.size === 0) return [];
    const names = [...new Set([...all.values()].flat().flatMap((bar) => Object.keys(bar.parts)))];
    const children = [...all].flatMap(([work, bars]) => {
      const plans = new Set(bars.map((bar) => bar.what)).size > 1;
      const named = (bar) => [bar.who, !bar.who || plans ? bar.what : ""].filter(Boolean).join(" · ");
      bars.sort((a, b) => whole(a) - whole(b));
      const figure = chart("split", 40 + 34 * bars.length, () => charts.split(bars.map((bar) => ({ name: named(bar), parts: bar.parts })), names));
      drawings.push(figure);
      const rows = bars.map((bar) => [
        named(bar) + (bar.marked ? " (not performance)" : ""),
        String(bar.runs),
        charts.seconds(whole(bar)),
        ...names.map((name) => (name in bar.parts ? `${charts.seconds(bar.parts[name])} (${charts.percent(bar.parts[name] / whole(bar))})` : "–")),
      ]);
      const columns = [["who", true], ["runs"], ["all"], ...names.map((name) => [name])];
      return [el("p", { class: "chart-title" }, work), figure.element, el("details", bars.length <= 12 ? { open: "" } : {}, el("summary", {}, `${work} as a table`), table(columns, rows))];
    });
    return [
      el("h3", {}, family.section.split_heading || "Where the time goes"),
      el("p", { class: "hint" }, "Medians of the runs, shortest first. “exposed” is time in which compute stood still for transfers on that axis, “waiting” the same before the last other rank had come to them: the bubble of a pipeline is in “waiting pp”. Runs of older programs have both as “exposed”."),
      key(charts.partLooks(names).map(({ index, faint }, i) => [`var(--part${(index % 8) + 1})`, names[i], faint])),
      ...children,
    ];
  }

  return { show };
})();
