// SPDX-License-Identifier: Apache-2.0
// Charts of figures over runs and over sizes of the machine, as ECharts options from plain data.
"use strict";

const series = (() => {
  const { colour, runColour, escaped, axis, tooltip } = charts;

  const range = (lower, upper, show) => (lower === null || upper === null ? "" : ` [${show(lower)}, ${show(upper)}]`);

  // From lower to upper of each of `points` [{x, lower, upper}], as lines with feet.
  function whiskers(points, shade) {
    return {
      type: "custom",
      silent: true,
      z: 2,
      encode: { x: 0, y: [1, 2] },
      data: points.filter((p) => p.lower !== null && p.upper !== null).map((p) => [p.x, p.lower, p.upper]),
      renderItem: (params, api) => {
        const [x, low] = api.coord([api.value(0), api.value(1)]);
        const high = api.coord([api.value(0), api.value(2)])[1];
        const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: shade, lineWidth: 1.5 } });
        return { type: "group", children: [line(x, low, x, high), line(x - 4, low, x + 4, low), line(x - 4, high, x + 4, high)] };
      },
    };
  }

  // lines: [{name, colour, dashed, points: [{gpus, value, lower, upper, base}]}], shares of their bases.
  function scaling(lines) {
    const sizes = [...new Set(lines.flatMap((line) => line.points.map((p) => p.gpus)))].sort((a, b) => a - b);
    const ends = [Math.log2(sizes[0]), Math.log2(sizes[sizes.length - 1])];
    const all = lines.flatMap((line) => line.points.flatMap((p) => [p.value, p.lower ?? p.value]));
    return {
      grid: { left: 8, right: 26, top: 14, bottom: 8, containLabel: true },
      tooltip: tooltip("item", ({ data: { point }, seriesName }) =>
        point ? `<b>${point.gpus} GPUs</b><br>${escaped(seriesName)}: ${point.base ? "the base" : charts.percent(point.value) + range(point.lower, point.upper, charts.percent)}` : "",
      ),
      xAxis: axis({
        type: "value",
        min: ends[0] - 0.15,
        max: ends[1] + 0.15,
        axisLabel: { formatter: (v) => `${Math.round(2 ** v)} GPUs`, showMinLabel: true, showMaxLabel: true, customValues: sizes.map(Math.log2) },
        axisTick: { customValues: sizes.map(Math.log2), lineStyle: { color: colour("--line") } },
      }),
      yAxis: axis({ type: "value", min: Math.max(0, Math.floor(10 * Math.min(...all) - 0.5) / 10), axisLabel: { formatter: charts.percent } }),
      series: [
        { type: "line", name: "perfect", silent: true, symbol: "none", z: 1, lineStyle: { color: colour("--soft"), type: "dotted", width: 1 }, data: ends.map((x) => [x, 1]) },
        ...lines.flatMap((line) => [
          whiskers(line.points.map((p) => ({ ...p, x: Math.log2(p.gpus) })), runColour(line.colour)),
          {
            type: "line",
            name: line.name,
            z: 3,
            symbol: "circle",
            symbolSize: 7,
            color: runColour(line.colour),
            lineStyle: { type: line.dashed ? "dashed" : "solid", width: 2 },
            data: line.points.map((point) => ({ value: [Math.log2(point.gpus), point.value], point })),
          },
        ]),
      ],
    };
  }

  const stateColour = (change) => colour(change.state === "alarm" ? "--bad" : change.slower ? "--warn" : "--good");

  // One case over the runs of its line. points: [[run, median, lower, upper, counts]]; changes: [{run, text,
  // state, slower}]; notes: [{run, text}].
  function history({ points, runs, changes, notes, show }) {
    const counted = points.filter(([, median, , , counts]) => counts && median > 0);
    const others = points.filter(([, median, , , counts]) => !counts && median > 0);
    const at = ([run, median, lower, upper, counts]) => ({ value: [run, median], point: { run, median, lower, upper, counts } });
    const upright = (run, text, shade, type, position) => ({
      xAxis: run,
      lineStyle: { color: shade, type, width: 1.5 },
      label: { formatter: () => text, color: shade, fontSize: 11, position, width: 150, overflow: "truncate" },
    });
    const said = ({ data }) => {
      if (!data?.point) return "";
      const { run, median, lower, upper, counts } = data.point;
      const notesHere = notes.filter((note) => note.run === run).map((note) => `<br>note: ${escaped(note.text)}`);
      return `<b>${escaped(runs[run][0])}</b><br>${escaped(runs[run][1])}<br>${show(median)}${range(lower, upper, show)}${counts ? "" : "<br>does not count"}${notesHere.join("")}`;
    };
    const values = counted.flatMap(([, median, lower, upper]) => [median, lower ?? median, upper ?? median]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const room = 0.15 * (high - low || high);
    return {
      grid: { left: 8, right: 18, top: 26, bottom: 4, containLabel: true },
      tooltip: tooltip("item", said),
      xAxis: axis({ type: "value", min: Math.min(...points.map((p) => p[0])), max: Math.max(1, ...points.map((p) => p[0])), minInterval: 1, splitLine: { show: false }, axisLabel: { formatter: (v) => (runs[v]?.[1] ?? "").slice(0, 10), showMaxLabel: false } }),
      yAxis: axis({ type: "value", min: Math.max(0, low - room), max: high + room, axisLabel: { formatter: show, showMinLabel: false, showMaxLabel: false }, splitNumber: 3 }),
      series: [
        whiskers(counted.map(([run, , lower, upper]) => ({ x: run, lower, upper })), colour("--line")),
        {
          type: "line",
          z: 3,
          symbol: "circle",
          symbolSize: 5,
          color: runColour(0),
          lineStyle: { width: 1.5 },
          data: counted.map(at),
          markLine: {
            symbol: "none",
            silent: true,
            data: [
              ...changes.map((change) => upright(change.run, change.text, stateColour(change), "solid", "end")),
              ...notes.map((note) => upright(note.run, "✎", colour("--soft"), "dotted", "insideEndTop")),
            ],
          },
        },
        { type: "scatter", z: 2, symbol: "emptyCircle", symbolSize: 6, color: colour("--soft"), data: others.map(at) },
      ],
    };
  }

  return { scaling, history };
})();
