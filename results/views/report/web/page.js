// SPDX-License-Identifier: Apache-2.0
// Builds the report page from the JSON inside it. Texts of journals enter the document only as text
// nodes, never as markup.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const runs = data.runs;
  const many = runs.length > 1;

  function el(tag, attributes = {}, ...children) {
    const out = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) out.setAttribute(name, value);
    out.append(...children.filter((child) => child !== null && child !== ""));
    return out;
  }

  const swatchStyle = (index) => `--swatch: var(--run${(index % 4) + 1})`;
  const swatch = (index) => el("span", { class: "swatch", style: swatchStyle(index) });
  const metric = (record, name) => record.metrics.find((m) => m.name === name);
  const value = (record, name) => metric(record, name)?.value ?? null;
  const time = (record) => record.summaries.find((s) => s.series === "time_s");
  const title = (record) => record.texts.title || record.case_id.replace(/^[a-z]+\//, "");
  const ok = (run, family) => run.records.filter((r) => r.family === family && r.outcome === "ok");

  // Labels that all measured cases of a run share are said once, in the run's card.
  for (const run of runs) {
    const lists = run.records.filter((record) => record.outcome === "ok").map((record) => record.labels);
    run.common = lists.length ? lists.reduce((all, labels) => all.filter((label) => labels.includes(label))) : [];
  }

  function section(id, heading, hint, ...children) {
    document.getElementById("contents").append(el("a", { href: `#${id}` }, heading));
    const out = el("section", { id }, el("h2", {}, heading), hint ? el("p", { class: "hint" }, hint) : null, ...children);
    document.getElementById("main").append(out);
    return out;
  }

  // columns: [title, left-aligned?]; cells: strings or nodes.
  function table(columns, rows, rowClass = () => "") {
    const cell = (tag, i, content) => el(tag, columns[i][1] ? { class: "name" } : {}, content);
    return el(
      "div",
      { class: "scroll", tabindex: "0" },
      el(
        "table",
        {},
        el("thead", {}, el("tr", {}, ...columns.map(([text], i) => cell("th", i, text)))),
        el("tbody", {}, ...rows.map((row, r) => el("tr", { class: rowClass(r) }, ...row.map((c, i) => cell("td", i, c))))),
      ),
    );
  }

  function chart(kind, height, build, renderer) {
    const out = el("div", { class: "chart", "data-kind": kind, role: "img" });
    if (height) out.style.height = `${height}px`;
    return { element: out, draw: () => charts.mount(out, build, renderer) };
  }

  function halfWidth(summary) {
    if (!summary || summary.lower === null || summary.upper === null) return "±?";
    return `±${charts.number((50 * (summary.upper - summary.lower)) / summary.median)} %`;
  }

  function checks(record) {
    const failed = record.checks.filter((check) => !check.passed).length;
    if (record.checks.length === 0) return el("span", { class: "soft" }, "none");
    return failed === 0
      ? el("span", { class: "good" }, "passed")
      : el("span", { class: "bad" }, `${failed} of ${record.checks.length} failed`);
  }

  function named(record, run, index) {
    const out = el("span", {}, many ? swatch(index) : null, title(record));
    if (many) out.title = run.label;
    if (record.provenance !== "measured") out.append(el("span", { class: "tag warn" }, record.provenance));
    if (!record.perf_valid) out.append(el("span", { class: "tag bad" }, ["not performance", record.texts.topology].filter(Boolean).join(": ")));
    if (record.repetitions) {
      const spread = record.spread === null ? "" : `, spread ${charts.percent(record.spread)}`;
      out.append(el("span", { class: "tag soft" }, `${record.repetitions.filter((r) => r.outcome === "ok").length} repetitions${spread}`));
    }
    for (const label of record.labels.filter((l) => !run.common.includes(l))) out.append(el("span", { class: "tag soft" }, label));
    return out;
  }

  // A legend for several charts: [colour, name, dashed?].
  function key(entries) {
    return el("p", { class: "key" }, ...entries.map(([shade, name, dashed]) => el("span", {}, el("i", { class: dashed ? "dashed" : "", style: `--swatch: ${shade}` }), name)));
  }

  const runColumn = many ? [["run", true]] : [];
  const runCell = (run) => (many ? [run.label] : []);

  function withoutResult(run) {
    const known = new Set(run.records.map((record) => record.case_id));
    return run.records
      .filter((record) => record.outcome !== "ok")
      .map((record) => [record.case_id, record.outcome, record.reason])
      .concat(run.missing.filter((id) => !known.has(id)).map((id) => [id, "not-measured", "the run ended before this case"]));
  }

  function header() {
    const total = runs.reduce((sum, run) => sum + run.counts.asked, 0);
    const measured = runs.reduce((sum, run) => sum + run.counts.ok, 0);
    const failed = runs.reduce((sum, run) => sum + run.counts.failed_checks, 0);
    const provenances = [...new Set(runs.flatMap((run) => run.provenances))];
    const verdict = document.getElementById("verdict");
    verdict.append(
      el("span", { class: measured === total ? "good" : "warn" }, `${measured} of ${total} cases measured`),
      measured === 0 ? "" : ", ",
      measured === 0 ? "" : el("span", { class: failed ? "bad" : "good" }, failed ? `${failed} checks failed` : "all checks passed"),
      provenances.length ? `, ${provenances.join(" and ")}` : "",
    );
    if (provenances.length > 1) verdict.append(el("span", { class: "bad" }, ": different provenances side by side, do not compare them"));
    runs.forEach((run, index) => {
      const h = run.header;
      const state = run.ended ? `ended with exit code ${run.exit_code}` : "interrupted: no end line";
      document.getElementById("runs").append(
        el(
          "div",
          { class: "run", style: swatchStyle(index) },
          el("strong", {}, run.label),
          run.integrity === "damaged" ? el("p", { class: "bad" }, "damaged journal, read all the same: lines do not fit their hashes") : "",
          el("p", { class: "counts" }, `${run.counts.ok} of ${run.counts.asked} measured, ${run.counts.skipped} skipped, ${run.counts.asked - run.counts.ok - run.counts.skipped} without result; ${state}`),
          el("p", {}, `${h.ranks} ranks, backend ${h.backend}, suite ${h.suite}, ${h.started}`),
          el("p", {}, run.hardware || "hardware not recorded"),
          el("p", {}, `stepmark ${h.tool_version} (${h.git_revision}${h.dirty ? ", modified tree" : ""}, ${h.build_type} build)`),
          ...run.common.map((label) => el("p", { class: "warn" }, `all cases: ${label}`)),
          ...run.warnings.map((warning) => el("p", { class: "warn" }, warning)),
        ),
      );
    });
  }

  // The items of a record that have a row each; one row where the family has no such list.
  const itemsOf = (family, record) => (family.items ? (record.texts[family.items] ?? "").split(",") : [""]);
  const withItem = (name, item) => name.replace("{}", item);

  const shows = {
    plain: charts.number,
    bytes: (v) => (v === null ? "N/A" : charts.bytes(v)),
    seconds: charts.seconds,
    microseconds: (v) => charts.seconds(v === null ? null : v * 1e-6),
    share: charts.percent,
  };

  // Text of a value as the families' JSON says where it comes from and what it is.
  function textOf(value, record, item = "") {
    const name = withItem(value.name, item);
    const t = time(record);
    switch (value.from) {
      case "metric": return shows[value.show](metric(record, name)?.value ?? null);
      case "number": return shows[value.show](record.numbers[name] ?? null);
      case "text": return record.texts[name] ?? "";
      case "note":
      case "missing": return metric(record, name)?.note ?? "";
      case "item": return item;
      case "name": return title(record);
      case "median": return charts.seconds(t?.median);
      case "interval": return halfWidth(t);
      case "p99": return charts.seconds(t?.p99);
      case "samples": return t ? `${t.count > 0 ? t.count : "N/A"} (${charts.number(t.effective_count)})` : "N/A";
      default: return "";
    }
  }

  // A cell: a text, or a node where there is more to say. Why a metric has no value is its tooltip.
  function cellOf(column, record, run, index, item) {
    const [first] = column.values;
    if (first.from === "name") return named(record, run, index);
    if (first.from === "checks") return checks(record);
    const m = first.from === "metric" ? metric(record, withItem(first.name, item)) : null;
    if (m && m.value === null) return el("span", { class: "soft", title: m.note }, "N/A");
    return column.values.map((value) => textOf(value, record, item)).join(" ");
  }

  function lineOf(words, values, record) {
    let next = 0;
    return words.replace(/\{\}/g, () => textOf(values[next++], record));
  }

  // Rows of a family's records in all runs.
  const rowsOf = (family, columns) =>
    runs.flatMap((run, index) =>
      ok(run, family.name).flatMap((record) =>
        itemsOf(family, record).map((item) => {
          const [first, ...others] = columns.map((column) => cellOf(column, record, run, index, item));
          return [first, ...runCell(run), ...others];
        }),
      ),
    );

  function familyTable(family, columns) {
    const rows = columns.length ? rowsOf(family, columns) : [];
    const [first, ...others] = columns.map((column) => [column.title, column.is_text]);
    return rows.length ? table([first, ...runColumn, ...others], rows) : null;
  }

  // Where the time goes, a stacked bar per run and case.
  function splitParts(family, drawings) {
    const bars = new Map(); // case -> a bar per run
    for (const run of runs) {
      for (const record of ok(run, family.name).filter((r) => r.split.length)) {
        const one = bars.get(title(record)) ?? bars.set(title(record), []).get(title(record));
        one.push({
          name: many ? run.label : "time",
          parts: Object.fromEntries(record.split.map((part) => [part.name, part.seconds ?? 0])),
        });
      }
    }
    if (bars.size === 0) return [];
    const parts = [...new Set([...bars.values()].flat().flatMap((bar) => Object.keys(bar.parts)))];
    const figures = [...bars].map(([name, one]) => [name, chart("split", 36 + 34 * one.length, () => charts.split(one, parts))]);
    drawings.push(...figures.map(([, figure]) => figure));
    return [
      el("h3", {}, family.section.split_heading || "Where the time goes"),
      key(parts.map((part, i) => [`var(--part${(i % 8) + 1})`, part])),
      ...figures.flatMap(([name, figure]) => [el("p", { class: "chart-title" }, name), figure.element]),
    ];
  }

  function timeline() {
    const choices = runs.flatMap((run) => run.records.filter((r) => r.outcome === "ok" && r.timeline.length).map((record) => ({ run, record })));
    if (choices.length === 0) return;
    const kMostRows = 64;
    const prepared = choices.map(({ run, record }) => {
      const names = [];
      const index = new Map();
      for (const [rank, stream] of record.timeline.slice().sort((a, b) => a[0] - b[0])) {
        const name = `rank ${rank} ${stream}`;
        if (!index.has(name)) index.set(name, names.push(name) - 1);
      }
      const spans = record.timeline
        .map(([rank, stream, label, phase, begin, end]) => ({ row: index.get(`rank ${rank} ${stream}`), label, phase, begin, end }))
        .filter((span) => span.row < kMostRows);
      return { name: `${title(record)}${many ? ` · ${run.label}` : ""}`, rows: names.slice(0, kMostRows), spans, hidden: Math.max(0, names.length - kMostRows) };
    });
    let chosen = prepared[0];
    const select = el("select", { "aria-label": "step" }, ...prepared.map((p, i) => el("option", { value: i }, p.name)));
    const height = (p) => 120 + Math.max(2, p.rows.length) * 24;
    const figure = chart("timeline", height(chosen), () => charts.timeline(chosen.rows, chosen.spans), "canvas");
    const hidden = el("p", { class: "hint" });
    const note = () => (hidden.textContent = chosen.hidden ? `${chosen.hidden} more streams are in the embedded data.` : "");
    section(
      "timeline",
      "Timeline of one step",
      "Every operation of one timed step, by rank and stream. Drag the slider, or hold Ctrl and turn the wheel, to zoom.",
      prepared.length > 1 ? el("p", {}, select) : el("p", { class: "chart-title" }, chosen.name),
      figure.element,
      hidden,
    );
    note();
    const draw = figure.draw();
    select.addEventListener("change", () => {
      chosen = prepared[Number(select.value)];
      figure.element.style.height = `${height(chosen)}px`;
      echarts.getInstanceByDom(figure.element).resize();
      note();
      draw();
    });
  }

  // Metrics against a number: a pair of drawings for each combination of texts.
  function curves(family, spec, drawings) {
    const groups = new Map();
    runs.forEach((run, index) => {
      for (const record of ok(run, family.name)) {
        if (!(record.numbers[spec.against] > 0)) continue;
        const group = spec.apart.map((text) => record.texts[text]).filter(Boolean).join(" ");
        const line = record.texts[spec.line] || "";
        const dashed = line === spec.dashed;
        const name = [many ? run.label : "", line].filter(Boolean).join(" · ") || "time";
        const lines = groups.get(group) ?? groups.set(group, new Map()).get(group);
        const own = lines.get(name) ?? lines.set(name, { name, run: many ? index : dashed ? 1 : 0, dash: dashed ? "dashed" : "solid", records: [] }).get(name);
        own.records.push(record);
      }
    });
    if (groups.size === 0) return [];
    const known = new Map();
    for (const lines of groups.values()) {
      for (const line of lines.values()) known.set(line.name, [`var(--run${(line.run % 4) + 1})`, line.name, line.dash === "dashed"]);
    }
    const marked = (data.beside ?? []).some((other) => other.family === family.name);
    if (marked) known.set("others", ["var(--soft)", "◇ figures of others, on their systems (below)", true]);
    const children = [key([...known.values()])];
    for (const [heading, lines] of groups) {
      const of = (name) =>
        [...lines.values()]
          .map((line) => ({
            ...line,
            points: line.records
              .map((record) => ({ x: record.numbers[spec.against], ...metric(record, name) }))
              .filter((point) => point.value > 0)
              .sort((a, b) => a.x - b.x),
          }))
          .filter((line) => line.points.length > 0);
      const pair = el("div", { class: "pair" });
      for (const { metric: name, title: label, unit } of spec.figures) {
        const drawn = of(name);
        if (drawn.length === 0) continue;
        const figure = chart(name, 0, () => charts.curves(drawn, unit, beside.marks(data, family, spec, [...lines.values()][0].records[0], name)));
        pair.append(el("div", {}, el("p", { class: "chart-title" }, label), figure.element));
        drawings.push(figure);
      }
      if (pair.childElementCount === 0) {
        const record = [...lines.values()][0].records[0];
        const why = record.perf_valid ? "no figure" : ["not performance", record.texts.topology].filter(Boolean).join(": ");
        pair.append(el("p", {}, `Nothing to draw: ${why}. Checks and times are in the tables below.`));
      }
      children.push(el("h3", {}, heading), pair);
    }
    return children;
  }

  // A metric of every case as bars; nothing where no case has it.
  function bars(family, spec, drawings) {
    const names = [...new Set(runs.flatMap((run) => ok(run, family.name).map(title)))];
    const all = runs.map((run, index) => {
      const byName = new Map(ok(run, family.name).map((record) => [title(record), record]));
      return {
        name: run.label,
        run: index,
        values: names.map((name) => {
          const record = byName.get(name);
          const m = record && metric(record, spec.metric);
          if (!m || m.value === null) return null;
          return { value: m.value, text: lineOf(spec.words, spec.values, record) };
        }),
      };
    });
    if (!all.some((run) => run.values.some(Boolean))) return null;
    const figure = chart(spec.metric, 80 + names.length * (12 + 14 * runs.length), () => charts.fractions({ names, runs: all }));
    drawings.push(figure);
    return figure.element;
  }

  // The sections that families name, in their order; families of one section share it.
  function familySections() {
    const sections = new Map();
    for (const family of data.families.filter((f) => runs.some((run) => ok(run, f.name).length))) {
      const spec = family.section;
      const own = sections.get(spec.id) ?? sections.set(spec.id, { heading: spec.heading, hints: [], children: [], drawings: [] }).get(spec.id);
      const drawn = spec.bars.map((one) => bars(family, one, own.drawings));
      const children = [
        familyTable(family, spec.columns),
        ...splitParts(family, own.drawings),
        ...spec.curves.flatMap((one) => curves(family, one, own.drawings)),
        ...drawn,
      ].filter(Boolean);
      const nothing = spec.bars.find((one, i) => !drawn[i]);
      if (children.length === 0 && !nothing) continue;
      own.hints.push(nothing ? nothing.unknown : spec.hint);
      own.children.push(...children);
    }
    let timelineShown = false;
    for (const [id, own] of sections) {
      if (own.hints.length === 0) continue;
      section(id, own.heading, own.hints.join(" "), ...own.children);
      own.drawings.forEach((figure) => figure.draw());
      // Below what it is a part of.
      if (!timelineShown) timeline();
      timelineShown = true;
    }
    if (!timelineShown) timeline();
  }

  // What the devices said of themselves while cases were sampled.
  function devices() {
    const fact = (record, name) => charts.number(record.numbers[name] ?? null);
    const rows = runs.flatMap((run) =>
      run.records
        .filter((record) => record.outcome === "ok" && record.numbers.telemetry_samples > 0)
        .map((record) => [
          record.case_id,
          ...runCell(run),
          fact(record, "gpu_power_w"),
          fact(record, "gpu_power_w_max"),
          fact(record, "gpu_sm_clock_mhz"),
          fact(record, "gpu_sm_clock_mhz_min"),
          fact(record, "gpu_temperature_c_max"),
          fact(record, "joules_per_sample"),
          record.texts.throttle_reasons ?? "no",
        ]),
    );
    if (rows.length === 0) return;
    section(
      "devices",
      "Devices while sampled",
      "The worst of all ranks; energy is of all devices together, per sample, waiting between samples included. N/A where the device did not tell or the window was too short.",
      table([["case", true], ...runColumn, ["power W"], ["most"], ["SM MHz"], ["least"], ["°C"], ["J per sample"], ["throttled", true]], rows),
    );
  }

  function environment() {
    const facts = new Map();
    runs.forEach((run, index) => {
      for (const fact of run.facts) {
        const key = JSON.stringify([fact.section, fact.name]);
        const row = facts.get(key) ?? facts.set(key, { section: fact.section, name: fact.name, fingerprint: fact.fingerprint, values: runs.map(() => "") }).get(key);
        row.values[index] = fact.value;
      }
    });
    const all = [...facts.values()];
    const differs = (row) => new Set(row.values).size > 1;
    const columns = [["fact", true], ...runs.map((run, i) => [many ? el("span", {}, swatch(i), run.label) : "value", true])];
    const cells = (row) => [`${row.section} ${row.name}`, ...row.values.map((v) => v || el("span", { class: "soft" }, "–"))];
    const different = all.filter(differs).sort((a, b) => b.fingerprint - a.fingerprint);
    const same = all.filter((row) => !differs(row));
    const children = [];
    if (many) {
      children.push(
        different.length
          ? table(columns, different.map(cells), (r) => (different[r].fingerprint ? "differs" : ""))
          : el("p", { class: "good" }, "No difference between the runs."),
      );
    }
    children.push(el("details", many ? {} : { open: "" }, el("summary", {}, many ? `${same.length} facts are the same` : `${same.length} facts`), table(columns, same.map(cells))));
    section("environment", many ? "Environment: differences" : "Environment", many ? "Shaded facts belong to the fingerprint that runs must share to be like for like; others, such as host names, may differ." : "", ...children);
  }

  function missing() {
    const rows = runs.flatMap((run) => withoutResult(run).map((row) => [row[0], ...runCell(run), row[1], row[2]]));
    if (rows.length === 0) return;
    section("missing", "Without result", "", table([["case", true], ...runColumn, ["outcome", true], ["reason", true]], rows));
  }

  function failures() {
    const rows = runs.flatMap((run) =>
      run.records.flatMap((record) => record.checks.filter((check) => !check.passed).map((check) => [record.case_id, ...runCell(run), check.name, check.detail])),
    );
    if (rows.length === 0) return;
    section("failures", "Checks that failed", "A number whose check failed measures something else: do not use it.", table([["case", true], ...runColumn, ["check", true], ["detail", true]], rows));
  }

  function tables() {
    const children = data.families.flatMap((family) => {
      const figures = familyTable(family, family.section.figures);
      const count = runs.reduce((sum, run) => sum + ok(run, family.name).length, 0);
      return figures ? [el("details", {}, el("summary", {}, `${family.name}: ${count} cases`), figures)] : [];
    });
    const save = el("button", { class: "button", type: "button" }, "Save all figures and samples as JSON");
    save.addEventListener("click", () => {
      const url = URL.createObjectURL(new Blob([JSON.stringify(data)], { type: "application/json" }));
      el("a", { href: url, download: "stepmark-report.json" }).click();
      URL.revokeObjectURL(url);
    });
    section("tables", "All figures", "", ...children, el("p", {}, save));
  }

  header();
  // Verdict and money first: who decides opens the runs where a figure is in doubt.
  if (data.decision) {
    const cards = document.getElementById("runs");
    const folded = el("details", {}, el("summary", {}, `${runs.length} runs`));
    cards.replaceWith(folded);
    folded.append(cards);
  }
  if (data.decision) decision.show(data.decision, { el, table, section, chart });
  if (data.decision?.portfolio) decision.portfolio(data.decision, { el, table, section });
  failures();
  familySections();
  beside.show(data, { el, table, section });
  devices();
  environment();
  missing();
  tables();
  document.getElementById("footer").append(
    "GB = 10⁹ bytes, GiB = 2³⁰ bytes. Times are medians of the steady state; intervals are distribution-free 95 % intervals of the median, widened for samples that depend on each other. Charts by Apache ECharts (Apache-2.0), inside this page; nothing is loaded from elsewhere.",
  );
})();
