// SPDX-License-Identifier: Apache-2.0
// Builds the report page from the JSON inside it. Texts of journals enter the document only as text
// nodes, never as markup.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const runs = data.runs;
  const many = runs.length > 1;
  // Runs of one owner (provider, side) share a colour and stand together.
  const owners = [...new Set(runs.map((run) => run.owner))];
  const owned = owners.every(Boolean);
  runs.forEach((run, index) => (run.colour = owned ? owners.indexOf(run.owner) : index));

  const kMostCards = 6; // of runs, that are shown unasked

  function el(tag, attributes = {}, ...children) {
    const out = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) out.setAttribute(name, value);
    out.append(...children.filter((child) => child !== null && child !== ""));
    return out;
  }

  const shadeOf = (colour) => `var(--run${(colour % 8) + 1})`;
  const swatchStyle = (run) => `--swatch: ${shadeOf(run.colour)}`;
  const swatch = (run) => el("span", { class: "swatch", style: swatchStyle(run) });
  const metric = (record, name) => record.metrics.find((m) => m.name === name);
  const value = (record, name) => metric(record, name)?.value ?? null;
  const time = (record) => record.summaries.find((s) => s.series === "time_s");
  const title = (record) => record.texts.title || record.case_id.replace(/^[a-z]+\//, "");
  const ok = (run, family) => run.records.filter((r) => r.family === family && r.outcome === "ok");

  // A page of many runs leaves out what is as it mostly is.
  const kDefaults = { labels: [], checks: [], split: [], timeline: [], series: [], summaries: [], metrics: [], reason: "", perf_valid: true };
  for (const run of runs) run.records = run.records.map((record) => ({ ...kDefaults, ...record }));

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
    // Draws when it comes into view; what is returned draws it again, once there is something.
    const draw = () => {
      let again = null;
      lazy.whenSeen(out, () => (again = charts.mount(out, build, renderer)));
      return () => again?.();
    };
    return { element: out, draw };
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

  function named(record, run) {
    const out = el("span", {}, many ? swatch(run) : null, title(record));
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
    runs.forEach((run) => {
      const h = run.header;
      const state = run.ended ? `ended with exit code ${run.exit_code}` : "interrupted: no end line";
      document.getElementById("runs").append(
        el(
          "div",
          { class: "run", style: swatchStyle(run) },
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
  function cellOf(column, record, run, item) {
    const [first] = column.values;
    if (first.from === "name") return named(record, run);
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
    runs.flatMap((run) =>
      ok(run, family.name).flatMap((record) =>
        itemsOf(family, record).map((item) => {
          const [first, ...others] = columns.map((column) => cellOf(column, record, run, item));
          return [first, ...runCell(run), ...others];
        }),
      ),
    );

  function familyTable(family, columns) {
    const rows = columns.length ? rowsOf(family, columns) : [];
    const [first, ...others] = columns.map((column) => [column.title, column.is_text]);
    return rows.length ? table([first, ...runColumn, ...others], rows) : null;
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
    // Of the step that is chosen when it is opened; once for each.
    const kMostSpans = 2000;
    const spansTable = () =>
      lazy.details(el, `Spans of ${chosen.name} as a table`, () =>
        table(
          [["stream", true], ["operation", true], ["phase", true], ["from"], ["takes"]],
          chosen.spans.slice(0, kMostSpans).map((span) => [chosen.rows[span.row], span.label, span.phase, charts.seconds(span.begin), charts.seconds(span.end - span.begin)]),
        ),
      );
    let spans = spansTable();
    const note = () => (hidden.textContent = chosen.hidden ? `${chosen.hidden} more streams are in the embedded data.` : "");
    section(
      "timeline",
      "Timeline of one step",
      "Every operation of one timed step, by rank and stream. All ranks are on one clock; “waiting” is what passes in a transfer until the last other rank comes to it. Drag the slider, or hold Ctrl and turn the wheel, to zoom.",
      prepared.length > 1 ? el("p", {}, select) : el("p", { class: "chart-title" }, chosen.name),
      figure.element,
      hidden,
      spans,
    );
    note();
    const draw = figure.draw();
    select.addEventListener("change", () => {
      chosen = prepared[Number(select.value)];
      figure.element.style.height = `${height(chosen)}px`;
      echarts.getInstanceByDom(figure.element)?.resize();
      note();
      draw();
      const other = spansTable();
      spans.replaceWith(other);
      spans = other;
    });
  }

  // What the records declare as limits of a figure: [{name, value}], each rate once.
  function levels(figure, records) {
    const out = new Map();
    for (const { name, number } of figure.levels) {
      for (const value of new Set(records.map((record) => record.numbers[number]).filter((rate) => rate > 0))) {
        const said = `${name} ${charts.number(value)} ${figure.unit}`;
        const level = out.get(said) ?? out.set(said, { said, value, clusters: new Set() }).get(said);
        for (const record of records) if (record.numbers[number] === value && record.texts.cluster) level.clusters.add(record.texts.cluster);
      }
    }
    return [...out.values()].map(({ said, value, clusters }) => {
      const names = [...clusters];
      const whose = names.length > 2 ? `${names.length} clusters` : names.join(", ");
      return { name: `${whose} ${said}`.trim(), value };
    });
  }

  // Metrics against a number: a pair of drawings for each combination of texts.
  function curves(family, spec, drawings) {
    const groups = new Map();
    runs.forEach((run) => {
      for (const record of ok(run, family.name)) {
        if (!(record.numbers[spec.against] > 0)) continue;
        const group = spec.apart.map((text) => record.texts[text]).filter(Boolean).join(" ");
        const line = record.texts[spec.line] || "";
        const dashed = line === spec.dashed;
        const name = [many ? run.label : "", line].filter(Boolean).join(" · ") || "time";
        const lines = groups.get(group) ?? groups.set(group, new Map()).get(group);
        const own = lines.get(name) ?? lines.set(name, { name, key: [owned ? run.owner : many ? run.label : "", line].filter(Boolean).join(" · ") || "time", run: many ? run.colour : dashed ? 1 : 0, dash: dashed ? "dashed" : "solid", records: [] }).get(name);
        own.records.push(record);
      }
    });
    if (groups.size === 0) return [];
    const known = new Map();
    for (const lines of groups.values()) {
      for (const line of lines.values()) known.set(line.key, [shadeOf(line.run), line.key, line.dash === "dashed"]);
    }
    const marked = (data.beside ?? []).some((other) => other.family === family.name);
    if (marked) known.set("others", ["var(--soft)", "◇ figures of others, on their systems (below)", true]);
    const levelled = spec.figures.some((figure) => levels(figure, [...groups.values()].flatMap((lines) => [...lines.values()].flatMap((line) => line.records))).length);
    if (levelled) known.set("levels", ["var(--warn)", "declared rate of a link", true]);
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
      for (const one of spec.figures) {
        const { metric: name, title: label, unit } = one;
        const drawn = of(name);
        if (drawn.length === 0) continue;
        const figure = chart(name, 0, () => charts.curves(drawn, unit, beside.marks(data, family, spec, [...lines.values()][0].records[0], name), levels(one, drawn.flatMap((line) => line.records))));
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
    const all = runs.map((run) => {
      const byName = new Map(ok(run, family.name).map((record) => [title(record), record]));
      return {
        name: run.label,
        run: run.colour,
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
        ...split.show(runs, family, own.drawings, { el, table, chart, key, ok, title, many }),
        ...spec.curves.flatMap((one) => curves(family, one, own.drawings)),
        ...drawn,
        spec.curves.length + drawn.filter(Boolean).length && spec.figures.length
          ? lazy.details(el, `${family.name}: these figures as a table`, () => familyTable(family, spec.figures))
          : null,
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
      const count = runs.reduce((sum, run) => sum + ok(run, family.name).length, 0);
      if (count === 0 || family.section.figures.length === 0) return [];
      return [lazy.details(el, `${family.name}: ${count} cases`, () => familyTable(family, family.section.figures))];
    });
    const save = el("button", { class: "button", type: "button" }, "Save all figures and samples as JSON");
    save.addEventListener("click", () => {
      const url = URL.createObjectURL(new Blob([JSON.stringify(data)], { type: "application/json" }));
      el("a", { href: url, download: "stepmark-report.json" }).click();
      URL.revokeObjectURL(url);
    });
    if (data.left_out.length) save.textContent = "Save all figures of this page as JSON";
    const left = data.left_out.length ? `A page of so many runs leaves out ${data.left_out.join("; ")}: the journals have them.` : "";
    section("tables", "All figures", left, ...children, el("p", {}, save));
  }

  header();
  // Verdict and money first: who decides opens the runs where a figure is in doubt.
  if (data.decision || runs.length > kMostCards) {
    const cards = document.getElementById("runs");
    const folded = el("details", {}, el("summary", {}, `${runs.length} runs`));
    cards.replaceWith(folded);
    folded.append(cards);
  }
  if (data.decision) decision.show(data.decision, { el, table, section, chart });
  failures();
  familySections();
  scaling.show(data.scaling, { el, table, section, chart, key, owners: owned ? owners : [] });
  if (data.history) overTime.show(data.history, { el, table, section, chart });
  beside.show(data, { el, table, section });
  devices();
  environment.show(runs, { el, table, section, swatch, many });
  environment.evidence(runs, { el, table, section, swatch });
  missing();
  tables();
  document.getElementById("footer").append(
    "GB = 10⁹ bytes, GiB = 2³⁰ bytes. Times are medians of the steady state; intervals are distribution-free 95 % intervals of the median, widened for samples that depend on each other. Charts by Apache ECharts (Apache-2.0), mixes solved by YALPS (MIT), both inside this page; nothing is loaded from elsewhere.",
  );
})();
