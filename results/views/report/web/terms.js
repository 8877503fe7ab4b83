// SPDX-License-Identifier: Apache-2.0
// What a reader may change: of each provider the term of its price, the price, and in a mix its GPUs and the
// minimum that it wants paid; of each workload its tokens per month. Everything else on the page follows.
"use strict";

const terms = (() => {
  const kWidest = 2; // of a slider: times the highest price, the most GPUs, the tokens of the mix
  const kSteps = 400;

  // {providers: Map name -> {terms, kind, price, goodput, gpus, minimum_gpus, committed}, tokens: [per workload]}
  function stateOf(data) {
    const mix = data.portfolio?.problem;
    const names = [...new Set([...data.providers, ...(mix?.providers ?? []).map((one) => one.provider)])];
    const listed = new Map((data.prices?.providers ?? []).map((one) => [one.provider, one.terms]));
    const state = { providers: new Map(names.map((name) => [name, { terms: listed.get(name) ?? [], compared: data.providers.includes(name) }])), tokens: [] };
    state.kinds = [...new Set([...state.providers.values()].flatMap((one) => one.terms.map((term) => term.kind)))];
    state.reset = () => {
      const kind = data.portfolio?.prices ?? state.kinds[0];
      for (const [name, one] of state.providers) {
        choose(one, one.terms.some((term) => term.kind === kind) ? kind : one.terms[0]?.kind);
        const { gpus, minimum_gpus, committed } = mix?.providers.find((of) => of.provider === name) ?? {};
        Object.assign(one, { gpus, minimum_gpus, committed });
      }
      state.tokens = (mix?.workloads ?? []).map((workload) => workload.tokens_per_month);
    };
    state.reset();
    return state;
  }

  // The price of the file for that term.
  function choose(one, kind) {
    const term = one.terms.find((of) => of.kind === kind);
    Object.assign(one, { kind, price: term?.per_gpu_hour ?? null, goodput: term?.goodput ?? null });
  }

  // A number and a slider for the same value; both reach it by keyboard. what: {id, label, most, get, set}.
  function amount(el, { id, label, most, get, set }, changed) {
    const step = 10 ** Math.floor(Math.log10(most / kSteps));
    const number = el("input", { type: "number", min: "0", step: "any", id, "aria-label": label });
    const range = el("input", { type: "range", min: "0", max: String(Math.ceil(most / step) * step), step: String(step), id: `${id}-range`, "aria-label": `${label}, slider` });
    const show = () => {
      number.value = get() ?? "";
      range.value = get() ?? 0;
    };
    number.addEventListener("input", () => {
      set(number.value !== "" && Number(number.value) >= 0 ? Number(number.value) : null);
      range.value = get() ?? 0;
      changed();
    });
    range.addEventListener("input", () => {
      set(Number(range.value));
      number.value = get();
      changed();
    });
    show();
    return { element: el("span", { class: "amount" }, number, range), show };
  }

  function termSelect(el, name, one, index, changed) {
    const select = el("select", { id: `term-${index}`, "aria-label": `term of ${name}` }, ...one.terms.map(({ kind }) => el("option", { value: kind }, kind)));
    select.addEventListener("change", () => {
      choose(one, select.value);
      changed();
    });
    return { element: select, show: () => (select.value = one.kind ?? "") };
  }

  function owedBox(el, name, one, index, changed) {
    const box = el("input", { type: "checkbox", id: `owed-${index}`, "aria-label": `minimum of ${name} is owed even where nothing is used` });
    box.addEventListener("change", () => {
      one.committed = box.checked;
      changed();
    });
    return { element: box, show: () => (box.checked = Boolean(one.committed)) };
  }

  const wholeNumber = (el, { id, label, get, set }, changed) => {
    const input = el("input", { type: "number", min: "0", step: "1", id, "aria-label": label });
    input.addEventListener("input", () => {
      set(Number(input.value) >= 0 ? Number(input.value) : 0);
      changed();
    });
    return { element: input, show: () => (input.value = get() ?? "") };
  };

  // The form of prices and commitments. {element, show}: show() writes what the state has.
  function form(state, money, { el, table }, changed) {
    const entries = [...state.providers];
    const inMix = entries.some(([, one]) => one.gpus !== undefined);
    const highest = Math.max(1e-6, ...entries.flatMap(([, one]) => one.terms.map((term) => term.per_gpu_hour)));
    const shown = [];
    const update = () => changed();
    const add = (control) => {
      shown.push(control);
      return control.element;
    };
    const showAll = () => shown.forEach((control) => control.show());
    const rows = entries.map(([name, one], index) => {
      const price = { id: `price-${index}`, label: `price of ${name} per GPU-hour`, most: kWidest * highest, get: () => one.price, set: (value) => (one.price = value > 0 ? value : null) };
      const cells = [
        name,
        one.terms.length
          ? add(termSelect(el, name, one, index, () => {
              showAll();
              update();
            }))
          : el("span", { class: "soft" }, "not in the price file"),
        add(amount(el, price, update)),
      ];
      if (!inMix) return cells;
      if (one.gpus === undefined) return [...cells, "", "", ""];
      return [
        ...cells,
        add(wholeNumber(el, { id: `gpus-${index}`, label: `GPUs of ${name}`, get: () => one.gpus, set: (value) => (one.gpus = value) }, update)),
        add(wholeNumber(el, { id: `minimum-${index}`, label: `minimum GPUs of ${name}`, get: () => one.minimum_gpus, set: (value) => (one.minimum_gpus = value) }, update)),
        add(owedBox(el, name, one, index, update)),
      ];
    });
    const all = el("select", { id: "term-all", "aria-label": "term of all providers" }, el("option", { value: "" }, "term of all"), ...state.kinds.map((kind) => el("option", { value: kind }, kind)));
    all.addEventListener("change", () => {
      for (const [, one] of entries) choose(one, all.value);
      all.value = "";
      showAll();
      update();
    });
    const reset = el("button", { class: "button", type: "button", id: "reset" }, "As in the files");
    const columns = [["provider", true], ["term", true], [`${money} per GPU-hour`, true], ...(inMix ? [["GPUs"], ["minimum"], ["owed"]] : [])];
    showAll();
    const element = el("form", { class: "prices" }, table(columns, rows), all, reset);
    element.addEventListener("submit", (event) => event.preventDefault());
    return { element, reset, show: showAll };
  }

  // Tokens per month of each workload. {element, show}
  function tokensForm(state, workloads, { el, table }, changed) {
    const controls = workloads.map((workload, w) =>
      amount(el, { id: `tokens-${w}`, label: `tokens per month of ${workload.workload}`, most: kWidest * workload.tokens_per_month, get: () => state.tokens[w], set: (value) => (state.tokens[w] = value ?? 0) }, changed),
    );
    const rows = workloads.map((workload, w) => [workload.workload, controls[w].element]);
    const element = el("form", { class: "prices" }, table([["workload", true], ["tokens per month", true]], rows));
    element.addEventListener("submit", (event) => event.preventDefault());
    return { element, show: () => controls.forEach((control) => control.show()) };
  }

  return { stateOf, form, tokensForm };
})();
