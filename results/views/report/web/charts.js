// SPDX-License-Identifier: Apache-2.0
// The charts of the report: each function gets plain data and returns an ECharts option. Colours
// come from the style sheet, so that light and dark need no second definition here.
"use strict";

const charts = (() => {
  const mounted = [];
  const kTooltipRows = 12;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const runColour = (index) => colour(`--run${(index % 8) + 1}`);
  const partColour = (index) => colour(`--part${(index % 8) + 1}`);
  // Parts of a step -> [{index of its colour, faint}]: "waiting AXIS" has that of "exposed AXIS", faint.
  function partLooks(names) {
    const own = [...new Set(names.map((name) => name.replace(/^waiting /, "exposed ")))];
    return names.map((name) => ({ index: own.indexOf(name.replace(/^waiting /, "exposed ")), faint: name.startsWith("waiting ") }));
  }
  const narrow = () => window.innerWidth < 760;

  // Texts come from journals: tooltips are HTML, so everything in them is escaped.
  const escaped = (text) =>
    String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

  // One for each count of digits: making one takes far longer than using it.
  const formats = Array.from({ length: 6 }, (_, digits) => new Intl.NumberFormat("en-US", { maximumFractionDigits: digits }));

  function number(value) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "N/A";
    const size = Math.abs(value);
    if (size === 0) return "0";
    if (size >= 1e7 || size < 1e-3) return value.toExponential(2);
    return formats[Math.min(5, Math.max(0, 2 - Math.floor(Math.log10(size))))].format(value);
  }

  function seconds(value) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "N/A";
    const size = Math.abs(value);
    if (size >= 1) return `${number(value)} s`;
    if (size >= 1e-3) return `${number(value * 1e3)} ms`;
    if (size >= 1e-6) return `${number(value * 1e6)} µs`;
    return size === 0 ? "0 s" : `${number(value * 1e9)} ns`;
  }

  function bytes(value) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (value >= 1024 && unit < units.length - 1) {
      value /= 1024;
      unit += 1;
    }
    return `${number(value)} ${units[unit]}`;
  }

  const percent = (value) =>
    value === null || value === undefined ? "N/A" : `${number(100 * value)} %`;

  // Draws now, and again when the window or the colour scheme changes.
  function mount(element, build, renderer = "svg") {
    const chart = echarts.init(element, null, { renderer });
    const draw = () => chart.setOption({ ...base(), ...build() }, true);
    draw();
    mounted.push({ chart, draw });
    return draw;
  }
  let pending = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => {
      for (const { chart, draw } of mounted) {
        chart.resize();
        draw();
      }
    });
  });
  // All charts at once, in a width or in that of their places, in the colours of the moment.
  function fit(width) {
    for (const { chart, draw } of mounted) {
      chart.resize(width ? { width: Math.min(width, chart.getDom().clientWidth) } : undefined);
      draw();
    }
  }
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { draw } of mounted) draw();
  });

  function base() {
    return {
      animation: false,
      aria: { enabled: true },
      textStyle: { color: colour("--ink"), fontFamily: getComputedStyle(document.body).fontFamily },
    };
  }

  const axis = (extra) => ({
    axisLine: { lineStyle: { color: colour("--line") } },
    axisTick: { lineStyle: { color: colour("--line") } },
    axisLabel: { color: colour("--soft"), fontSize: 11, hideOverlap: true, ...extra.axisLabel },
    splitLine: { lineStyle: { color: colour("--line") } },
    minorSplitLine: { show: false },
    ...Object.fromEntries(Object.entries(extra).filter(([key]) => key !== "axisLabel")),
  });

  const legend = (names) => ({
    type: "scroll",
    bottom: 0,
    data: names,
    textStyle: { color: colour("--ink"), fontSize: 12 },
    pageTextStyle: { color: colour("--soft") },
    pageIconColor: colour("--soft"),
    pageIconInactiveColor: colour("--line"),
  });

  const tooltip = (trigger, formatter) => ({
    trigger,
    formatter,
    confine: true,
    extraCssText: "white-space: normal; max-width: 320px; overflow-wrap: anywhere;",
    backgroundColor: colour("--card"),
    borderColor: colour("--line"),
    textStyle: { color: colour("--ink"), fontSize: 12 },
  });

  // Sizes are powers of two mostly: the axis counts in log2, so that ticks are whole powers.
  function sizeAxis(lines, marks) {
    const all = lines.flatMap((line) => line.points).concat(marks).map((p) => Math.log2(p.x));
    const min = Math.floor(Math.min(...all));
    const max = Math.max(min + 1, Math.ceil(Math.max(...all)));
    const interval = Math.max(1, Math.ceil((max - min) / (narrow() ? 4 : 8)));
    return axis({ type: "value", min, max, interval, axisLabel: { formatter: (v) => bytes(2 ** v), showMaxLabel: true } });
  }

  // The 95 % interval as an area: one polygon through all upper and back through all lower points.
  function band(points, shade, opacity = 0.22) {
    const known = points.filter((p) => p.lower > 0 && p.upper > 0);
    return {
      type: "custom",
      silent: true,
      z: 1,
      encode: { x: 0, y: [1, 2] },
      data: known.map((p) => [Math.log2(p.x), p.lower, p.upper]),
      renderItem: (params, api) => {
        if (params.dataIndex !== 0) return null;
        const upper = known.map((p) => api.coord([Math.log2(p.x), p.upper]));
        const lower = known.map((p) => api.coord([Math.log2(p.x), p.lower])).reverse();
        return {
          type: "polygon",
          shape: { points: upper.concat(lower) },
          style: { fill: shade, opacity },
        };
      },
    };
  }

  // lines: [{name, run, dash, points: [{x bytes, value, lower, upper}]}]; both axes logarithmic.
  // marks: [{name, x, value}], figures of others; levels: [{name, value}], limits that were declared.
  function curves(lines, unit, marks = [], levels = []) {
    const series = [];
    const opacity = 0.22 / Math.max(1, lines.length / 4);
    const sizes = lines.flatMap((line) => line.points).concat(marks).map((p) => Math.log2(p.x));
    for (const level of levels) {
      series.push({
        type: "line",
        name: level.name,
        silent: true,
        z: 2,
        symbol: "none",
        color: colour("--warn"),
        lineStyle: { type: [7, 4], width: 1.5 },
        data: [Math.floor(Math.min(...sizes)), Math.max(Math.floor(Math.min(...sizes)) + 1, Math.ceil(Math.max(...sizes)))].map((x) => ({ value: [x, level.value], level: true })),
        endLabel: { show: true, formatter: () => level.name, align: "right", verticalAlign: "bottom", offset: [-8, -2], color: colour("--warn"), fontSize: 11 },
      });
    }
    for (const line of lines) {
      const shade = runColour(line.run);
      series.push(band(line.points, shade, opacity), {
        type: "line",
        name: line.name,
        z: 3,
        symbol: line.dash === "solid" ? "circle" : "emptyCircle",
        symbolSize: 5,
        color: shade,
        lineStyle: { type: line.dash, width: 2 },
        data: line.points.map((p) => ({ value: [Math.log2(p.x), p.value], point: p })),
      });
    }
    series.push({
      type: "scatter",
      name: "others",
      z: 2,
      symbol: "emptyDiamond",
      symbolSize: 9,
      color: colour("--soft"),
      data: marks.map((mark) => ({ value: [Math.log2(mark.x), mark.value], mark })),
      tooltip: {
        trigger: "item",
        formatter: ({ data: { mark } }) => `<b>${bytes(mark.x)}</b><br>${escaped(mark.name)}: ${number(mark.value)} ${unit}`,
      },
    });
    const shown = (items) => {
      const known = items.filter((item) => item.seriesType === "line" && item.data.point);
      if (known.length === 0) return "";
      const rows = known.slice(0, kTooltipRows);
      return [`<b>${bytes(rows[0].data.point.x)}</b>`]
        .concat(
          rows.map((item) => {
            const { value, lower, upper } = item.data.point;
            const range = lower > 0 ? ` [${number(lower)}, ${number(upper)}]` : "";
            return `${item.marker}${escaped(item.seriesName)}: ${number(value)}${range} ${unit}`;
          }),
        )
        .concat(known.length > rows.length ? [`and ${known.length - rows.length} more`] : [])
        .join("<br>");
    };
    return {
      grid: { left: 8, right: 26, top: 14, bottom: 8, containLabel: true },
      tooltip: tooltip("axis", shown),
      xAxis: sizeAxis(lines, marks),
      yAxis: axis({ type: "log", minorTick: { show: true }, axisLabel: { formatter: number } }),
      series,
    };
  }

  const categoryAxis = (names) =>
    axis({
      type: "category",
      data: names,
      inverse: true,
      splitLine: { show: false },
      axisLabel: { width: narrow() ? 105 : 250, overflow: "truncate", interval: 0, hideOverlap: false },
    });

  // bars: {names, runs: [{name, run, values: [{value, lower, upper, text} | null]}]}, fractions.
  function fractions(bars) {
    return {
      grid: { left: 8, right: 24, top: 8, bottom: 32, containLabel: true },
      legend: legend(bars.runs.map((run) => run.name)),
      tooltip: tooltip("item", (item) => `<b>${escaped(item.name)}</b><br>${escaped(item.seriesName)}: ${escaped(item.data.text)}`),
      xAxis: axis({ type: "value", min: 0, max: (range) => Math.max(1, Math.ceil(11.5 * range.max) / 10), axisLabel: { formatter: percent } }),
      yAxis: categoryAxis(bars.names),
      series: bars.runs.map((run) => ({
        type: "bar",
        name: run.name,
        barMaxWidth: 18,
        itemStyle: { color: runColour(run.run), borderRadius: [0, 2, 2, 0] },
        label: { show: true, position: "right", color: colour("--soft"), fontSize: 11, formatter: (item) => percent(item.value) },
        data: run.values.map((entry) => entry ?? "-"),
      })),
    };
  }

  // series: [{name, run, values: [{entry, value, lower, upper} | null]}], one value per work; with whiskers.
  function costs(series, unit) {
    const works = Math.max(...series.map((one) => one.values.length));
    const whisker = (params, api) => {
      const [x, low, high] = [api.value(0), api.coord([0, api.value(1)])[1], api.coord([0, api.value(2)])[1]];
      const middle = api.coord([x, 0])[0] + api.value(3) * api.size([1, 0])[0];
      const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: colour("--ink"), lineWidth: 1 } });
      return { type: "group", children: [line(middle, low, middle, high), line(middle - 4, low, middle + 4, low), line(middle - 4, high, middle + 4, high)] };
    };
    const share = 0.7 / series.length; // of a work's place
    return {
      grid: { left: 8, right: 24, top: 26, bottom: 32, containLabel: true },
      legend: legend(series.map((one) => one.name)),
      tooltip: tooltip("item", (item) => {
        const { value, lower, upper } = item.data.cost ?? {};
        return item.data.cost ? `<b>${escaped(item.seriesName)}</b><br>${number(value)} [${number(lower)}, ${number(upper)}] ${escaped(unit)}` : "";
      }),
      xAxis: axis({ type: "category", data: [...Array(works).keys()].map((i) => series.map((one) => one.values[i]?.work).find(Boolean) ?? `work ${i + 1}`), splitLine: { show: false } }),
      yAxis: axis({ type: "value", name: unit, nameTextStyle: { color: colour("--soft"), align: "left" }, axisLabel: { formatter: number } }),
      series: series.flatMap((one, index) => [
        {
          type: "bar",
          name: one.name,
          barWidth: `${Math.round(100 * share) - 2}%`,
          barGap: "2%",
          itemStyle: { color: runColour(one.run) },
          data: one.values.map((cost) => (cost && cost.value !== null ? { value: cost.value, cost } : "-")),
        },
        {
          type: "custom",
          silent: true,
          z: 3,
          renderItem: whisker,
          encode: { x: 0, y: [1, 2] },
          data: one.values
            .map((cost, work) => (cost && cost.lower !== null && cost.upper !== null ? [work, cost.lower, cost.upper, (index - (series.length - 1) / 2) * share] : null))
            .filter(Boolean),
        },
      ]),
    };
  }

  // rows: [{name, parts: {name: seconds}}], names: of all parts, in order; a stacked bar per row.
  function split(rows, names) {
    const whole = (row) => Object.values(row.parts).reduce((sum, value) => sum + value, 0);
    const looks = partLooks(names);
    return {
      grid: { left: 8, right: 24, top: 4, bottom: 4, containLabel: true },
      tooltip: tooltip("axis", (items) =>
        [`<b>${escaped(items[0].name)}</b>`]
          .concat(
            items
              .filter((item) => item.value > 0)
              .map((item) => `${item.marker}${escaped(item.seriesName)}: ${seconds(item.value)} (${percent(item.value / whole(rows[item.dataIndex]))})`),
          )
          .join("<br>"),
      ),
      xAxis: axis({ type: "value", axisLabel: { formatter: seconds } }),
      yAxis: categoryAxis(rows.map((row) => row.name)),
      series: names.map((name, index) => ({
        type: "bar",
        stack: "step",
        name,
        barMaxWidth: 26,
        itemStyle: { color: partColour(looks[index].index), opacity: looks[index].faint ? 0.45 : 1 },
        data: rows.map((row) => row.parts[name] ?? 0),
      })),
    };
  }

  // spans: [{row, label, phase, begin, end}], rows: names. Zoom: slider, or Ctrl and wheel.
  function timeline(rows, spans) {
    const phases = [...new Set(spans.map((span) => span.phase))];
    const block = (params, api) => {
      const [left, middle] = api.coord([api.value(1), api.value(0)]);
      const right = api.coord([api.value(2), api.value(0)])[0];
      const height = api.size([0, 1])[1] * 0.72;
      const shape = echarts.graphic.clipRectByRect(
        { x: left, y: middle - height / 2, width: Math.max(1, right - left), height },
        { x: params.coordSys.x, y: params.coordSys.y, width: params.coordSys.width, height: params.coordSys.height },
      );
      return shape && { type: "rect", shape, style: { fill: api.visual("color"), stroke: colour("--card"), lineWidth: right - left > 3 ? 0.5 : 0 } };
    };
    return {
      grid: { left: 8, right: 20, top: 8, bottom: 84, containLabel: true },
      legend: legend(phases),
      tooltip: tooltip("item", (item) => {
        const span = item.data.span;
        return `<b>${escaped(span.label)}</b><br>${escaped(rows[span.row])}, ${escaped(span.phase)}<br>${seconds(span.end - span.begin)}, from ${seconds(span.begin)}`;
      }),
      dataZoom: [
        { type: "inside", filterMode: "weakFilter", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false },
        { type: "slider", filterMode: "weakFilter", bottom: 34, height: 18, showDetail: false, borderColor: colour("--line"), textStyle: { color: colour("--soft") } },
      ],
      xAxis: axis({ type: "value", min: 0, axisLabel: { formatter: seconds } }),
      yAxis: { ...categoryAxis(rows), splitLine: { show: false } },
      series: phases.map((phase, index) => ({
        type: "custom",
        name: phase,
        renderItem: block,
        color: partColour(index),
        encode: { x: [1, 2], y: 0 },
        data: spans.filter((span) => span.phase === phase).map((span) => ({ value: [span.row, span.begin, span.end], span })),
      })),
    };
  }

  return { axis, tooltip, colour, runColour, escaped, fit, mount, curves, fractions, costs, split, partLooks, timeline, number, seconds, bytes, percent };
})();
