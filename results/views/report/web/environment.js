// SPDX-License-Identifier: Apache-2.0
// What the runs differ in, and what stands behind them: hashes, signatures, integrity.
"use strict";

const environment = (() => {
  const kMostColumns = 6; // runs side by side; of more, each value with who has it

  // Facts by section and name, with the value of each run.
  function factsOf(runs) {
    const facts = new Map();
    runs.forEach((run, index) => {
      for (const fact of run.facts) {
        const key = JSON.stringify([fact.section, fact.name]);
        const row = facts.get(key) ?? facts.set(key, { name: `${fact.section} ${fact.name}`, fingerprint: fact.fingerprint, values: runs.map(() => "") }).get(key);
        row.values[index] = fact.value;
      }
    });
    return [...facts.values()];
  }

  // Owners where all runs of each agree, else runs.
  function holders(runs, row) {
    const owners = new Map();
    runs.forEach((run, i) => owners.set(run.owner, (owners.get(run.owner) ?? new Set()).add(row.values[i])));
    const whole = runs.every((run) => run.owner) && [...owners.values()].every((values) => values.size === 1);
    const out = new Map();
    runs.forEach((run, i) => {
      const who = out.get(row.values[i]) ?? out.set(row.values[i], new Set()).get(row.values[i]);
      who.add(whole ? run.owner : run.label);
    });
    return [...out].map(([value, who]) => [value, whole || who.size <= 4 ? [...who].join(", ") : `${who.size} runs: ${[...who].slice(0, 3).join(", ")}, ...`]);
  }

  // page: {el, table, section, swatch, many}
  function show(runs, { el, table, section, swatch, many }) {
    const all = factsOf(runs);
    const differs = (row) => new Set(row.values).size > 1;
    const none = () => el("span", { class: "soft" }, "–");
    const different = all.filter(differs).sort((a, b) => b.fingerprint - a.fingerprint);
    const same = all.filter((row) => !differs(row));
    const children = [];
    if (many && different.length === 0) children.push(el("p", { class: "good" }, "No difference between the runs."));
    if (different.length && runs.length <= kMostColumns) {
      const columns = [["fact", true], ...runs.map((run) => [el("span", {}, swatch(run), run.label), true])];
      children.push(table(columns, different.map((row) => [row.name, ...row.values.map((v) => v || none())]), (r) => (different[r].fingerprint ? "differs" : "")));
    } else if (different.length) {
      const rows = different.flatMap((row) => holders(runs, row).map(([value, who], i) => ({ cells: [i ? "" : row.name, value || none(), who], shaded: row.fingerprint })));
      children.push(table([["fact", true], ["value", true], ["of", true]], rows.map((row) => row.cells), (r) => (rows[r].shaded ? "differs" : "")));
    }
    const sameTable = () => table([["fact", true], [many ? "value of all runs" : "value", true]], same.map((row) => [row.name, row.values[0] || none()]));
    children.push(many ? lazy.details(el, `${same.length} facts are the same`, sameTable) : el("details", { open: "" }, el("summary", {}, `${same.length} facts`), sameTable()));
    section("environment", many ? "Environment: differences" : "Environment", many ? "Shaded facts belong to the fingerprint that runs must share to be like for like; others, such as host names, may differ." : "", ...children);
  }

  function signatures(evidence, el) {
    const signers = evidence.signatures ?? [];
    const note = evidence.note ?? "not known to whoever made this page: the bundle that it lies in says it (stepmark verify)";
    if (signers.length === 0) return el("span", { class: "soft" }, `none known: ${note}`);
    return `${signers.map((one) => `key ${one.fingerprint}${one.trusted_as ? ` (${one.trusted_as})` : ""}`).join(", ")}: ${note}`;
  }

  // page: {el, table, section, swatch}
  function evidence(runs, { el, table, section, swatch }) {
    const code = (text) => (text ? el("code", {}, text) : el("span", { class: "soft" }, "N/A"));
    const rows = runs.map((run) => {
      const own = run.evidence;
      return [
        el("span", {}, runs.length > 1 ? swatch(run) : "", run.label),
        run.header.run_id,
        el("span", { class: own.integrity === "damaged" ? "bad" : own.integrity === "intact" ? "good" : "warn" }, `${own.integrity}, ${run.ended ? "ended" : "no end line"}`),
        `${own.lines} lines, ${own.bytes.toLocaleString("en-US")} bytes`,
        code(own.chain),
        code(own.sha256),
        signatures(own, el),
      ];
    });
    section(
      "evidence",
      "Evidence",
      "The last hash of a journal's chain stands for every line before it; its SHA-256 is that of the file (sha256sum). A figure of this page follows from the samples in that file: stepmark report draws it again, stepmark verify computes a sealed bundle again. A hash finds a change; who vouches for it only a signature tells.",
      table([["run", true], ["run id", true], ["journal", true], ["size"], ["last hash of its chain (BLAKE2b-256)", true], ["SHA-256 of the file", true], ["signatures", true]], rows),
    );
  }

  return { show, evidence };
})();
