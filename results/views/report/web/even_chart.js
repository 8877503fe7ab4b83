// SPDX-License-Identifier: Apache-2.0
// One break-even: the chart's option of ECharts.
"use strict";

// drawing: of breakEvens, or null for an empty chart.
function evenChart(drawing, name, other, money, providers) {
  const { axis, tooltip, colour, runColour, escaped, number } = charts;
  if (!drawing) return { title: { text: "N/A", left: "center", top: "middle", textStyle: { color: colour("--soft"), fontSize: 13 } }, xAxis: { show: false }, yAxis: { show: false }, series: [] };
  const { even, price, range, a, b } = drawing;
  const shades = [runColour(providers.indexOf(name)), runColour(providers.indexOf(other))];
  const band = (points, shade) => ({
    type: "custom",
    silent: true,
    z: 1,
    encode: { x: 0, y: [1, 2] },
    data: points.every((point) => point.lower > 0 && point.upper > 0) ? points.map((point) => [point.x, point.lower, point.upper]) : [],
    renderItem: (params, api) => {
      if (params.dataIndex !== 0) return null;
      const above = points.map((point) => api.coord([point.x, point.upper]));
      const below = points.map((point) => api.coord([point.x, point.lower])).reverse();
      return { type: "polygon", shape: { points: above.concat(below) }, style: { fill: shade, opacity: 0.2 } };
    },
  });
  const line = (label, points, shade) => ({ type: "line", name: label, z: 3, symbol: "none", color: shade, lineStyle: { width: 2 }, data: points.map((point) => [point.x, point.value]) });
  const bounded = even.lower !== null && even.upper !== null;
  const marks = [{ xAxis: even.value, lineStyle: { color: colour("--ink"), type: "solid" }, label: { formatter: number(even.value), color: colour("--ink") } }];
  if (price > 0) marks.push({ xAxis: price, lineStyle: { color: shades[0], type: "dotted", width: 2 }, label: { formatter: `asks ${number(price)}`, color: colour("--soft"), position: "insideEndTop" } });
  const lowest = Math.min(...a.concat(b).map((point) => point.lower ?? point.value));
  return {
    grid: { left: 8, right: 30, top: 26, bottom: 24, containLabel: true },
    tooltip: tooltip("axis", () => `<b>${escaped(name)}</b> breaks even with ${escaped(other)} at<br>${number(even.value)}${bounded ? ` [${number(even.lower)}, ${number(even.upper)}]` : " [no interval]"} ${escaped(money)} per GPU-hour`),
    xAxis: axis({ type: "value", min: range[0], max: range[1], name: `price of ${name}`, nameLocation: "middle", nameGap: 24, nameTextStyle: { color: colour("--soft") }, axisLabel: { formatter: number, showMinLabel: false, showMaxLabel: false } }),
    yAxis: axis({ type: "value", scale: true, min: Math.max(0, 0.98 * lowest), axisLabel: { formatter: number, showMinLabel: false } }),
    series: [
      band(a, shades[0]),
      band(b, shades[1]),
      line(other, b, shades[1]),
      {
        ...line(name, a, shades[0]),
        markLine: { silent: true, symbol: "none", animation: false, data: marks },
        markArea: { silent: true, animation: false, itemStyle: { color: colour("--ink"), opacity: 0.12 }, data: bounded ? [[{ xAxis: even.lower }, { xAxis: even.upper }]] : [] },
      },
    ],
  };
}
