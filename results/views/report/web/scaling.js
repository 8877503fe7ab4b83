// SPDX-License-Identifier: Apache-2.0
// Efficiency over the number of GPUs, where the same model was measured at several sizes.
"use strict";

const scaling = (() => {
  const interval = (one, show) => {
    if (one.value === null) return "N/A";
    return show(one.value) + (one.lower === null || one.upper === null ? "" : ` [${show(one.lower)}, ${show(one.upper)}]`);
  };

  // page: {el, table, section, chart, key, owners}
  function show(all, { el, table, section, chart, key, owners }) {
    if (all.length === 0) return;
    const named = (one) => [one.owner, one.model, one.weak ? "weak" : "strong"].filter(Boolean).join(" · ");
    const lines = all.map((one, index) => ({
      name: named(one),
      colour: owners.includes(one.owner) ? owners.indexOf(one.owner) : index,
      dashed: !one.weak,
      points: one.sizes
        .map((size, i) => ({ gpus: size.gpus, base: i === 0, ...(i === 0 ? { value: 1, lower: null, upper: null } : size.efficiency) }))
        .filter((point) => point.value !== null),
    }));
    const figure = chart("scaling", 0, () => series.scaling(lines));
    const rows = all.flatMap((one) =>
      one.sizes.map((size, i) => [
        named(one),
        charts.number(size.gpus),
        String(size.runs),
        charts.seconds(size.step_s),
        interval(size.tokens_per_s, charts.number),
        charts.number(size.tokens_per_s.value === null ? null : size.tokens_per_s.value / size.gpus),
        i === 0 ? "base" : interval(size.efficiency, charts.percent),
        size.plan + (size.plans > 1 ? ` (best of ${size.plans})` : ""),
      ]),
    );
    section(
      "scaling",
      "Scaling",
      "Tokens per second and GPU at a size over that of the smallest size measured, the base. Weak (solid): the batch grows with the GPUs; strong (dashed): it stays. 95 % intervals from two runs on; the best of several plans reads a little high.",
      key(lines.map((line) => [`var(--run${(line.colour % 8) + 1})`, line.name, line.dashed])),
      figure.element,
      table([["series", true], ["GPUs"], ["runs"], ["step"], ["tokens/s"], ["tokens/s/GPU"], ["efficiency"], ["plan", true]], rows),
    );
    figure.draw();
  }

  return { show };
})();
