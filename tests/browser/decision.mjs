// SPDX-License-Identifier: Apache-2.0
// A page of providers computes by itself what the program computes: costs and break-even prices at the prices of
// the file, verdicts that are never bolder at any price, mixes solved to 1e-6 of the program's answer, and it
// follows its controls. Usage: node decision.mjs FOLDER, which stepmark_make_reports has written.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { launch } from "./chromium.mjs";

const folder = resolve(process.argv[2]);
const read = (name) => JSON.parse(readFileSync(join(folder, name), "utf8"));
const problems = [];
const expect = (condition, what) => condition || problems.push(what);

const browser = await launch();
const page = await browser.newPage();
page.on("pageerror", (error) => problems.push(`page error: ${error.message}`));
await page.goto(pathToFileURL(join(folder, "decision.html")).href, { waitUntil: "load" });

// At the file's prices: costs, break-even prices and what being slower costs.
async function checkFigures() {
  const wrong = await page.evaluate(() => {
    const { decision: data } = JSON.parse(document.getElementById("data").textContent);
    const out = [];
    const close = (a, b, what) => {
      if (!(Math.abs(a - b) <= 1e-9 * Math.abs(b))) out.push(`${what}: ${a} instead of ${b}`);
    };
    if (data.works.length === 0 || data.works.some((work) => work.refused)) out.push("no works");
    const asked = new Map(data.prices.providers.map(({ provider, terms: [{ kind, per_gpu_hour, goodput }] }) => [provider, { kind, price: per_gpu_hour, goodput }]));
    for (const work of data.works) {
      const ranked = decision.costs(work, asked);
      const side = (name) => ranked.find((one) => one.entry.provider === name);
      for (const cost of work.costs.filter((one) => one.kind === "on-demand")) {
        const figure = cost.figures.find((one) => one.name === "delivered_cost_per_1e6_tokens");
        for (const bound of ["value", "lower", "upper"]) close(side(cost.provider)[bound], figure[bound], `cost of ${cost.provider}, ${bound}`);
      }
      for (const pair of work.pairs) {
        const money = pair.money.find((one) => one.kind === "on-demand");
        const found = { break_even_a: decision.breakEven(work, side(pair.a), side(pair.b)), break_even_b: decision.breakEven(work, side(pair.b), side(pair.a)), slower_per_month: decision.slowdownOf(work, side(pair.a), side(pair.b)) };
        for (const [key, own] of Object.entries(found)) {
          for (const bound of ["value", "lower", "upper"]) close(own[bound], money[key][bound], `${key} of ${pair.a} and ${pair.b}, ${bound}`);
        }
      }
    }
    return out;
  });
  problems.push(...wrong);
}

// Over the walk of prices: where the page says cheaper, so does the program.
async function checkWalk() {
  const walk = read("decision-walk.json");
  const seen = await page.evaluate((steps) => {
    const { decision: data } = JSON.parse(document.getElementById("data").textContent);
    const out = { bolder: [], page: 0, program: 0, cheapest: 0 };
    for (const { prices, verdicts } of steps) {
      const chosen = new Map(data.providers.map((name, i) => [name, { kind: "on-demand", price: prices[i], goodput: data.prices.providers[i].terms[0].goodput }]));
      const programSays = (w, a, b) => verdicts.some((one) => one.work === w && ((one.a === a && one.b === b && one.verdict === "slower") || (one.a === b && one.b === a && one.verdict === "faster")));
      data.works.forEach((work, w) => {
        const ranked = decision.costs(work, chosen);
        for (const a of ranked) {
          for (const b of ranked.filter((one) => one !== a)) {
            const says = decision.cheaperOf(work, a, b, data.margin);
            const said = programSays(w, a.entry.provider, b.entry.provider);
            out.page += says;
            out.program += said;
            if (says && !said) out.bolder.push(`${a.entry.provider} cheaper than ${b.entry.provider} at ${prices}`);
          }
        }
        const best = decision.cheapestOf(work, ranked, data.margin);
        out.cheapest += best.decided;
        for (const other of best.decided ? ranked.slice(1) : []) {
          if (!programSays(w, best.first.entry.provider, other.entry.provider)) out.bolder.push(`${best.first.entry.provider} the cheapest at ${prices}`);
        }
      });
    }
    return out;
  }, walk);
  problems.push(...seen.bolder.slice(0, 5).map((one) => `bolder than the program: ${one}`));
  expect(seen.cheapest > 20 && seen.page > 100 && seen.page <= seen.program, `the walk decides too little: ${JSON.stringify({ ...seen, bolder: seen.bolder.length })}`);
  return `${walk.length} prices: ${seen.page} verdicts of the page, ${seen.program} of the program`;
}

// Every mix solved by the page is the program's to 1e-6 of its cost, and no move is bolder.
async function checkMixes() {
  const mixes = read("portfolios.json");
  const seen = await page.evaluate((all) => {
    const out = { wrong: [], solved: 0, ties: 0, decided: 0, undecided: 0, slowest: 0 };
    all.forEach(({ problem, answer }, index) => {
      const began = performance.now();
      const own = mixAnalysis.analyse(problem, mixAnalysis.factorsOf(problem));
      out.slowest = Math.max(out.slowest, performance.now() - began);
      const fail = (what) => out.wrong.push(`mix ${index + 1}: ${what}`);
      if (Boolean(own.why) !== Boolean(answer.why)) return fail(`'${own.why}' instead of '${answer.why}'`);
      if (own.why) return undefined;
      out.solved += 1;
      const scale = answer.cheapest_per_month;
      // Where several allocations cost the same, each solver may take another one: all that is paid is the same.
      const differ = (theirs, ours) => theirs.some((of, w) => of.some((share, p) => Math.abs(share - ours[w][p]) > 1e-6));
      const tie = differ(answer.share, own.cheapest.share);
      const advised = answer.workloads.map(({ shares }) => problem.providers.map(({ provider }) => shares[provider] ?? 0));
      const same = !tie && !differ(advised, own.advised.share);
      out.ties += !same;
      const close = (a, b, what) => {
        if ((a === null) !== (b === null) || (a !== null && !(Math.abs(a - b) <= 1e-6 * scale))) fail(`${what}: ${a} instead of ${b}`);
      };
      close(own.cheapest.cost, scale, "cheapest");
      if (!tie) close(own.advised.cost, answer.cost_per_month, "advised");
      close(own.now, answer.now, "now");
      if (!(answer.lower <= answer.cost_per_month * 1.000001 && answer.upper >= answer.cost_per_month * 0.999999)) fail(`the program's interval has no ${answer.cost_per_month}`);
      if (same) {
        close(own.lower, answer.lower, "lower");
        close(own.upper, answer.upper, "upper");
      }
      (tie ? [] : own.moves).forEach((move, w) => {
        const theirs = answer.workloads[w];
        if (move.wanted !== theirs.wanted || move.decided !== theirs.decided) fail(`move ${w}: ${JSON.stringify(move)} instead of ${JSON.stringify(theirs)}`);
        for (const key of ["saving", "lower", "upper"]) close(move[key], theirs[key], `move ${w} ${key}`);
        out.decided += move.wanted && move.decided;
        out.undecided += move.wanted && !move.decided;
      });
      own.worth.forEach((worth, p) => {
        const theirs = answer.providers[p];
        close(worth.one_more_node, theirs.one_more_node, `node of ${p}`);
        close(worth.alone, theirs.alone, `alone at ${p}`);
        const [a, b] = [worth.used_below, theirs.used_below];
        if ((a === null) !== (b === null) || (a !== null && Math.abs(a - b) > problem.price[p] / 500)) fail(`used below of ${p}: ${a} instead of ${b}`);
      });
      return undefined;
    });
    return out;
  }, mixes);
  problems.push(...seen.wrong.slice(0, 8));
  expect(seen.solved > mixes.length / 2 && seen.ties < mixes.length / 10 && seen.decided > 10 && seen.undecided > 3, `the mixes show too little: ${JSON.stringify({ ...seen, wrong: seen.wrong.length })}`);
  return `${seen.solved} of ${mixes.length} mixes solved, ${seen.decided} moves decided, ${seen.undecided} not, the slowest in ${Math.round(seen.slowest)} ms`;
}

const first = () => page.locator("#answer p").first().textContent();
const mixCost = async () => {
  await page.waitForSelector("#mix[aria-busy=false]");
  return page.locator("#mix p").first().textContent();
};
const change = async (act) => {
  await act();
  return mixCost();
};

// Every control changes what it says it does, and the button takes it back.
async function checkControls() {
  const asFile = await change(async () => {});
  const answer = await first();
  const rows = () => page.locator("#break-even tbody tr").first().textContent();
  const even = await rows();
  await change(() => page.fill("#price-0", "0.3"));
  expect((await first()).includes("<i>north</i> is the cheapest"), `at 0.3 north is not the cheapest: ${await first()}`);
  await change(() => page.fill("#price-0", ""));
  expect((await first()).includes("south has the lowest figure"), `without its price north is ranked: ${await first()}`);
  expect((await mixCost()).includes("has no price"), `a mix whose incumbent has no price: ${await mixCost()}`);
  await change(() => page.selectOption("#term-0", "1-year"));
  expect((await page.inputValue("#price-0")) === "2.25", `the 1-year price is ${await page.inputValue("#price-0")}`);
  const delivered = await page.locator("#decision tbody tr td:nth-child(7)").allTextContents();
  expect(delivered.filter((text) => text === "N/A").length === 2, `delivered costs without a goodput: ${delivered}`);
  await page.click("#reset");
  expect((await mixCost()) === asFile && (await first()) === answer, "the button does not take changes back");
  await change(() => page.fill("#price-1", "3.5"));
  expect((await rows()) !== even, "break-even prices do not follow");
  await page.click("#reset");
  for (const [what, act] of [
    ["tokens", () => page.fill("#tokens-0", "3e12")],
    ["the tokens' slider", () => page.locator("#tokens-0-range").press("ArrowRight")],
    ["a minimum", () => page.fill("#minimum-2", "20")],
    ["GPUs", () => page.fill("#gpus-1", "9")],
    ["what is owed", () => page.locator("#owed-2").press("Space")],
    ["a price's slider", () => page.locator("#price-0-range").press("ArrowLeft")],
  ]) {
    expect((await change(act)) !== asFile, `${what} changes nothing`);
    const cost = (await mixCost()).match(/^[0-9,]+/)?.[0] ?? "not possible";
    expect((await page.locator("#answer-mix").textContent()).includes(cost), `${what}: the answer above is another one than ${cost}`);
    await page.click("#reset");
    expect((await mixCost()) === asFile, `${what} is not taken back`);
  }
  await change(() => page.fill("#minimum-1", "99"));
  expect((await mixCost()).includes("99 GPUs at least, and 64 can be had"), `a minimum above all GPUs: ${await mixCost()}`);
  await page.click("#reset");
  await page.selectOption("#even-of", "south");
  expect((await page.locator("#break-even .chart-title").first().textContent()).includes("south against"), "the drawn provider does not follow");
  const unnamed = await page.evaluate(() => [...document.querySelectorAll("input, select")].filter((one) => !one.getAttribute("aria-label") && one.labels.length === 0).map((one) => one.id));
  expect(unnamed.length === 0, `controls without a name: ${unnamed}`);
}

await checkFigures();
const walked = await checkWalk();
const solved = await checkMixes();
await checkControls();
await browser.close();
for (const problem of problems) console.error(problem);
console.log(`${walked}; ${solved}; ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
