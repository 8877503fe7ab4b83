// SPDX-License-Identifier: Apache-2.0
// The cheapest month of a mix, as results/portfolio/allocation has it: the same programme, solved by
// YALPS. Its variables are shares of a workload's tokens and of a provider's GPUs, all between 0 and 1.
"use strict";

const allocation = (() => {
  const kSecondsPerHour = 3600;
  const kHoursPerDay = 24;
  const kNothing = 1e-9; // of a share
  const kOptions = { precision: 1e-9, tolerance: 0, timeout: 5000, maxPivots: 50000 };

  // problem: {hours_per_month, workloads: [{workload, tokens_per_month, deadline_days, may_run_on, rates}],
  // providers: [{provider, gpus, minimum_gpus, committed}], price: [per GPU-hour | null], goodput: []}
  function mayRun(problem, limits, w, p) {
    const workload = problem.workloads[w];
    const { provider } = problem.providers[p];
    if (!(workload.rates[p]?.median > 0) || !(problem.price[p] > 0)) return false;
    if (limits.only !== undefined && limits.only !== p) return false;
    const held = limits.held?.[w] ?? null;
    if (held !== null && held !== p) return false;
    return workload.may_run_on.length === 0 || workload.may_run_on.includes(provider);
  }

  const hoursOf = (problem, w, p) =>
    problem.workloads[w].tokens_per_month / (problem.workloads[w].rates[p].median * problem.goodput[p] * kSecondsPerHour);

  function whyNot(problem, limits) {
    for (const [w, workload] of problem.workloads.entries()) {
      const places = problem.providers.map((_, p) => p).filter((p) => mayRun(problem, limits, w, p));
      if (places.length === 0) return `${workload.workload}: no provider that it may run on has a price and measured steps of it`;
      const most = places.reduce((sum, p) => sum + (problem.providers[p].gpus * kHoursPerDay * workload.deadline_days) / hoursOf(problem, w, p), 0);
      if (most < 1) return `${workload.workload}: all GPUs together do ${Math.round(100 * most)} % of its tokens until its deadline`;
    }
    return "all workloads together do not fit into the GPUs until their deadlines";
  }

  // GPUs of a provider that are paid for are a share of all that it has; a minimum that is not owed anyway
  // is paid once the provider is used at all.
  function addProviders(problem, model) {
    problem.providers.forEach(({ gpus, minimum_gpus, committed }, p) => {
      if (!(problem.price[p] > 0)) return;
      const paid = { cost: (problem.price[p] * gpus) / model.scale, [`needs${p}`]: 1, [`most${p}`]: 1 };
      model.constraints[`needs${p}`] = { min: 0 };
      if (minimum_gpus > 0 && !committed) {
        paid[`least${p}`] = 1;
        model.constraints[`most${p}`] = { max: 0 };
        model.constraints[`least${p}`] = { min: 0 };
        model.variables[`used${p}`] = { [`most${p}`]: -1, [`least${p}`]: -minimum_gpus / gpus };
        model.binaries.add(`used${p}`);
      } else {
        model.constraints[`most${p}`] = committed ? { min: minimum_gpus / gpus, max: 1 } : { max: 1 };
      }
      model.variables[`paid${p}`] = paid;
    });
  }

  // Every workload gets its tokens; until each deadline fits what is due by then.
  function addWorkloads(problem, limits, model) {
    const days = [...new Set(problem.workloads.map((workload) => workload.deadline_days))];
    problem.workloads.forEach((workload, w) => {
      model.constraints[`tokens${w}`] = { equal: 1 };
      problem.providers.forEach(({ gpus }, p) => {
        if (!mayRun(problem, limits, w, p)) return;
        const gpuHours = hoursOf(problem, w, p);
        const share = { [`tokens${w}`]: 1, [`needs${p}`]: -gpuHours / (gpus * problem.hours_per_month) };
        for (const day of days.filter((one) => workload.deadline_days <= one)) {
          share[`due${p}by${day}`] = gpuHours / (gpus * kHoursPerDay * day);
          model.constraints[`due${p}by${day}`] = { max: 1 };
        }
        model.variables[`share${w}at${p}`] = share;
      });
    });
  }

  // Without what rounding leaves of nothing: it would owe a provider its minimum.
  function sharesOf(problem, value, w) {
    const raw = problem.providers.map((_, p) => value.get(`share${w}at${p}`) ?? 0).map((share) => (share > kNothing ? share : 0));
    const sum = raw.reduce((all, share) => all + share, 0);
    return raw.map((share) => share / sum);
  }

  // limits: {only: the one provider that is open, held: [provider of each workload | null]}.
  // {why} or {cost, share: [workload][provider], hours: [provider], paid: [provider]}.
  function cheapest(problem, limits = {}) {
    const owed = problem.providers.findIndex((one, p) => one.committed && !(problem.price[p] > 0));
    if (owed >= 0) return { why: `${problem.providers[owed].provider}: its minimum is owed at no known price` };
    const scale = Math.max(...problem.providers.map((one, p) => (problem.price[p] > 0 ? problem.price[p] * one.gpus : 0)), 1e-300);
    const model = { direction: "minimize", objective: "cost", constraints: {}, variables: {}, binaries: new Set(), scale };
    addProviders(problem, model);
    addWorkloads(problem, limits, model);
    const impossible = problem.workloads.some((_, w) => !problem.providers.some((__, p) => mayRun(problem, limits, w, p)));
    const solution = impossible ? { status: "infeasible" } : YALPS.solve(model, kOptions);
    if (solution.status !== "optimal") {
      return { why: solution.status === "infeasible" ? whyNot(problem, limits) : `no optimum was found (${solution.status})` };
    }
    const value = new Map(solution.variables);
    const share = problem.workloads.map((_, w) => sharesOf(problem, value, w));
    return {
      why: "",
      cost: solution.result * scale * problem.hours_per_month,
      share,
      hours: problem.providers.map((_, p) => share.reduce((sum, of, w) => sum + (of[p] > 0 ? of[p] * hoursOf(problem, w, p) : 0), 0)),
      paid: problem.providers.map((one, p) => (value.get(`paid${p}`) ?? 0) * one.gpus * problem.hours_per_month),
    };
  }

  // What an allocation's shares cost in each resampled world; factors: of the rates, [sample][workload][provider].
  function costsOf(problem, { share }, factors) {
    const pairs = problem.workloads.length * problem.providers.length;
    const out = new Float64Array(factors.length / pairs);
    problem.providers.forEach((provider, p) => {
      const parts = problem.workloads.flatMap((_, w) => (share[w][p] > 0 ? [{ hours: share[w][p] * hoursOf(problem, w, p), at: w * problem.providers.length + p }] : []));
      if (parts.length === 0 && !provider.committed) return;
      const least = provider.minimum_gpus * problem.hours_per_month;
      for (let sample = 0; sample < out.length; ++sample) {
        let hours = 0;
        for (const { hours: median, at } of parts) hours += median / factors[sample * pairs + at];
        out[sample] += problem.price[p] * Math.max(hours, least);
      }
    });
    return out;
  }

  return { cheapest, costsOf };
})();
