// SPDX-License-Identifier: Apache-2.0
// Figures of others: marks in the drawings of the same subject, and a table of all with their sources.
"use strict";

const beside = (() => {
  const systemOf = (other) => other.texts.published_system || other.texts.source_file || other.case_id;

  // Figures of others for the drawing that `record` is in.
  const marks = (data, family, spec, record, metricName) =>
    (data.beside ?? [])
      .filter((other) => other.family === family.name && other.texts[spec.apart[0]] === record.texts[spec.apart[0]])
      .filter((other) => other.numbers[spec.against] > 0 && other.metrics[metricName] > 0)
      .map((other) => ({ name: `${systemOf(other)}, ${other.numbers.ranks} ranks`, x: other.numbers[spec.against], value: other.metrics[metricName] }));

  // What others published, every mark's figure among it.
  function show(data, { el, table, section }) {
    const all = data.beside ?? [];
    if (all.length === 0) return;
    const children = data.families.flatMap((family) => {
      const own = all.filter((other) => other.family === family.name);
      if (own.length === 0) return [];
      const metrics = [...new Set(own.flatMap((other) => Object.keys(other.metrics)))].filter((name) => name !== "step_time");
      const rows = own.map((other) => [
        other.texts.title || other.case_id.replace(/^[a-z]+\//, ""),
        systemOf(other) + (other.texts.published_what ? ` (${other.texts.published_what})` : ""),
        charts.number(other.numbers.ranks ?? null),
        charts.seconds(other.median),
        ...metrics.map((name) => charts.number(other.metrics[name] ?? null)),
        other.texts.told_time ?? "",
        [other.texts.published_source, other.texts.published_date].filter(Boolean).join(", ") || (other.texts.source_file ?? ""),
        other.texts.not_stated ?? "",
      ]);
      const columns = [["what", true], ["system", true], ["ranks"], ["time"], ...metrics.map((name) => [name.replaceAll("_", " ")]), ["time is", true], ["source", true], ["not stated", true]];
      return [el("details", own.length <= 12 ? { open: "" } : {}, el("summary", {}, `${family.name}: ${own.length} figures`), table(columns, rows))];
    });
    section(
      "beside",
      "Beside: figures of others",
      "Published by others, on their systems, versions and settings, without samples or intervals: for orientation, never a comparison. What a source does not say is named with it.",
      ...children,
    );
  }

  return { marks, show };
})();
