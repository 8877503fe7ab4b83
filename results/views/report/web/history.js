// SPDX-License-Identifier: Apache-2.0
// Each case over the runs of its line, with the changes that a check of the history found, and what is
// known of them.
"use strict";

const overTime = (() => {
  const kOpen = 12; // charts and rows of a kind that are shown unasked
  const change = (ratio) => (ratio === null ? "N/A" : `${ratio >= 1 ? "+" : "−"}${charts.number(Math.abs(100 * (ratio - 1)))} %`);
  const bounds = (one) => (one.lower === null || one.upper === null ? "N/A" : `${change(one.lower)} to ${change(one.upper)}`);
  const showOf = (unit) => (unit === "s" ? charts.seconds : (value) => (value === null ? "N/A" : `${charts.number(value)} ${unit}`));

  const kColumns = [["case", true], ["time"], ["95 %"], ["now", true]];

  function eventParts(event, { el, table }) {
    const facts = event.differences.map((one) => [`${one.section} ${one.name}`, one.before || "nothing", one.after || "nothing"]);
    const said = [
      `First run of the new level: ${event.first_run} (${event.first_started}); last before it: ${event.last_run} (${event.last_started}); shown by ${event.found_run}.`,
      event.direction === "slower" ? `Probable layer: ${event.layer}: ${event.layer_why}` : "",
      ...event.annotations.map((note) => `Note of ${note.when}: ${note.text}`),
      event.acknowledged ? `Acknowledged ${event.acknowledged}${event.note ? `: ${event.note}` : ""}.` : "",
    ].filter(Boolean);
    const cases = event.cases.map((one) => [one.case_id, change(one.ratio), bounds(one), one.recovered ? "recovered" : ""]);
    return el(
      "details",
      event.is_alarm ? { open: "" } : {},
      el("summary", { class: event.is_alarm ? "bad" : "" }, event.words),
      ...said.map((text) => el("p", {}, text)),
      table(kColumns, cases.slice(0, kOpen)),
      cases.length > kOpen ? lazy.details(el, `${cases.length - kOpen} more cases`, () => table(kColumns, cases.slice(kOpen))) : null,
      facts.length ? table([["fact that differs", true], ["before", true], ["after", true]], facts) : el("p", {}, "No fact of the environment differs between the two."),
    );
  }

  function seriesParts(line, one, drawings, { el, table, chart }) {
    const show = showOf(one.unit);
    const changes = one.changes.map((c) => ({ ...c, text: `${c.state === "alarm" ? "ALARM " : ""}${change(c.ratio)}` }));
    const figure = chart("history", 170, () => series.history({ points: one.points, runs: line.runs, changes, notes: line.notes, show }));
    drawings.push(figure);
    const marks = (run) => [...changes.filter((c) => c.run === run).map((c) => `${c.text} from here (${c.state})`), ...line.notes.filter((n) => n.run === run).map((n) => n.text)].join("; ");
    const rows = () =>
      one.points.map(([run, median, lower, upper, counts]) => [line.runs[run][1], line.runs[run][0], show(median), lower === null || upper === null ? "N/A" : `${show(lower)} to ${show(upper)}`, counts ? "" : "does not count", marks(run)]);
    return el(
      "div",
      {},
      el("p", { class: "chart-title" }, one.case_id),
      figure.element,
      lazy.details(el, `${one.points.length} runs as a table`, () => table([["started", true], ["run", true], ["median"], ["95 %"], ["", true], ["what happened", true]], rows())),
    );
  }

  function lineParts(line, drawings, page) {
    const { el } = page;
    const parts = line.series.filter((one) => one.points.filter((point) => point[1] !== null).length > 1);
    const changed = parts.filter((one) => one.changes.length);
    const steady = parts.filter((one) => !one.changes.length);
    const grid = (list) => el("div", { class: "pair" }, ...list.map((one) => seriesParts(line, one, drawings, page)));
    const single = line.series.length - parts.length + line.left_out;
    return [
      el("h3", {}, `${line.words}: ${line.runs.length} runs`),
      changed.length ? grid(changed.slice(0, kOpen)) : el("p", {}, "No case changed."),
      changed.length > kOpen ? el("details", {}, el("summary", {}, `${changed.length - kOpen} more cases that changed`), grid(changed.slice(kOpen))) : null,
      steady.length ? el("details", steady.length <= kOpen ? { open: "" } : {}, el("summary", {}, `${steady.length} cases without change`), grid(steady)) : null,
      single ? el("p", { class: "hint" }, `${single} more cases are not drawn: of a single run, or beyond what a page holds (stepmark history export has all).`) : null,
    ].filter(Boolean);
  }

  // page: {el, table, section, chart}
  function show(data, page) {
    const { el, section } = page;
    const drawings = [];
    section(
      "history",
      "History",
      `${data.said}. Medians with their 95 % intervals; upright lines are changes that a check found (first run of the new level), dotted ones are notes. Hollow points do not count.`,
      ...data.events.map((event) => eventParts(event, page)),
      ...data.lines.flatMap((line) => lineParts(line, drawings, page)),
    );
    drawings.forEach((figure) => figure.draw());
  }

  return { show };
})();
