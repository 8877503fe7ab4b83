// SPDX-License-Identifier: Apache-2.0
// Opens every page of a folder in headless Chromium at desktop and phone width, in both colour
// schemes, and fails on: console errors, page errors, any request that leaves the page, a body
// wider than the window, a chart without drawing, text of a journal that was executed.
// Usage: node check.mjs FOLDER [SCREENSHOT_FOLDER]. Exit 77 (skip) without Chromium or
// playwright-core.
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const unavailable = (what) => {
  console.error(`skipped: no ${what}`);
  process.exit(77);
};

const chromium = (process.env.PATH ?? "")
  .split(delimiter)
  .flatMap((folder) => ["chromium", "chromium-browser"].map((name) => join(folder, name)))
  .find(existsSync);
if (!chromium) unavailable("chromium");
const playwright = await import("playwright-core").catch(() => unavailable("playwright-core (npm ci --prefix tests/browser)"));

const [folder, screenshots] = process.argv.slice(2).map((path) => resolve(path));
const pages = folder && existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".html")) : [];
if (pages.length === 0) {
  console.error(`no pages in ${folder}`);
  process.exit(1);
}
if (screenshots) mkdirSync(screenshots, { recursive: true });

// Charts that a page must have; every chart found must have been drawn.
const expected = {
  "one.html": ["busbw", "latency", "roofline", "split", "timeline"],
  "decision.html": ["costs", "busbw", "latency", "split"],
  "beside.html": ["busbw", "latency", "roofline", "split", "timeline"],
  "two.html": ["busbw", "latency", "roofline", "split", "timeline"],
  "four.html": ["busbw", "latency", "roofline", "split", "timeline"],
  "hostile.html": ["busbw", "latency", "roofline", "split", "timeline"],
  "kernels-only.html": ["roofline"],
  "concurrent.html": ["roofline"],
  "nothing.html": [],
};

// Texts that a page must show.
const texts = {
  "decision.html": ["Which provider", "<i>north</i>", "Not possible: <b>none</b>"],
  "beside.html": ["figures of others", "<b>Another's</b> cluster", "never a comparison"],
  "concurrent.html": ["At the same time", "tp all_reduce", "50 %", "not performance: single-gpu-timesliced", "Devices while sampled", "sw power cap"],
};

const problems = [];

// What the page computes at the file's prices is what the comparison computed, and a changed price counts.
async function checkDecision(page, fail) {
  const wrong = await page.evaluate(() => {
    const { decision: data } = JSON.parse(document.getElementById("data").textContent);
    const out = [];
    const close = (a, b, what) => {
      if (!(Math.abs(a - b) <= 1e-9 * Math.abs(b))) out.push(`${what}: ${a} instead of ${b}`);
    };
    if (data.works.length === 0 || data.works.some((work) => work.refused)) out.push("no works");
    for (const work of data.works) {
      const prices = new Map(work.costs.map((cost) => [cost.provider, cost.per_gpu_hour]));
      const ranked = decision.costs(work, prices, "on-demand");
      for (const cost of work.costs) {
        const own = ranked.find((one) => one.entry.provider === cost.provider);
        const delivered = cost.figures.find((figure) => figure.name.startsWith("delivered"));
        for (const bound of ["value", "lower", "upper"]) close(own[bound], delivered[bound], `cost of ${cost.provider}, ${bound}`);
      }
      for (const pair of work.pairs) {
        const side = (name) => ranked.find((one) => one.entry.provider === name);
        for (const [key, a, b] of [["break_even_a", pair.a, pair.b], ["break_even_b", pair.b, pair.a]]) {
          const even = decision.breakEven(work, side(a), side(b));
          for (const bound of ["value", "lower", "upper"]) close(even[bound], pair.money[0][key][bound], `${key}, ${bound}`);
        }
      }
    }
    return out;
  });
  wrong.forEach(fail);
  const first = () => page.locator("#decision h3 + p").first().textContent();
  await page.fill("#price-0", "0.5");
  if (!(await first()).includes("<i>north</i> is the cheapest")) fail(`at 0.5 north is not the cheapest: ${await first()}`);
  await page.fill("#price-0", "");
  if (!(await first()).includes("south has the lowest figure")) fail(`without its price north is ranked: ${await first()}`);
  await page.click("#decision button");
}

async function check(browser, name, width, scheme) {
  const where = `${name} at ${width} px, ${scheme}`;
  const fail = (what) => problems.push(`${where}: ${what}`);
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
  const page = await context.newPage();
  const address = pathToFileURL(join(folder, name)).href;
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) fail(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => fail(`page error: ${error.message}`));
  page.on("request", (request) => {
    if (request.url() !== address && !/^(data|blob):/.test(request.url())) fail(`request: ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    fail(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(address, { waitUntil: "load" });
  await page.waitForTimeout(150);

  const seen = await page.evaluate(() => ({
    title: document.title,
    sections: document.querySelectorAll("main section").length,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    scripts: document.querySelectorAll("script").length,
    images: document.querySelectorAll("img").length,
    text: document.body.innerText,
    charts: [...document.querySelectorAll(".chart")].map((chart) => {
      const drawing = chart.querySelector("svg, canvas");
      const box = drawing?.getBoundingClientRect();
      const marks = drawing?.tagName === "CANVAS" ? 1 : (drawing?.querySelectorAll("path").length ?? 0);
      return { kind: chart.dataset.kind, width: box?.width ?? 0, height: box?.height ?? 0, marks };
    }),
  }));
  if (seen.title !== "stepmark report") fail(`title is '${seen.title}': a text was executed`);
  if (seen.images > 0) fail("a text became an image");
  if (seen.scripts !== 6) fail(`${seen.scripts} scripts instead of 6: a text became a script`);
  if (seen.sections === 0) fail("no sections");
  if (seen.overflow > 0) fail(`the body is ${seen.overflow} px wider than the window`);
  if (!/\d+ of \d+ cases measured/.test(seen.text)) fail("no verdict line");
  if (name === "hostile.html" && !seen.text.includes("</script>")) fail("the hostile text is not shown");
  for (const text of texts[name] ?? []) {
    if (!seen.text.includes(text)) fail(`'${text}' is not shown`);
  }
  if (name === "decision.html") await checkDecision(page, fail);
  for (const chart of seen.charts) {
    if (chart.width < 200 || chart.height < 60 || chart.marks === 0) {
      fail(`chart ${chart.kind} is not drawn (${chart.width} x ${chart.height}, ${chart.marks} marks)`);
    }
  }
  for (const kind of expected[name] ?? []) {
    if (!seen.charts.some((chart) => chart.kind === kind)) fail(`no ${kind} chart`);
  }
  // Tooltips are HTML: move over every chart so that they are built from the journal's texts.
  for (const chart of await page.locator(".chart").all()) {
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.boundingBox();
    for (const x of [0.4, 0.55, 0.7]) {
      for (const y of [0.15, 0.35, 0.6]) await page.mouse.move(box.x + box.width * x, box.y + box.height * y);
    }
  }
  await page.waitForTimeout(50);
  const late = await page.evaluate(() => {
    const limit = document.documentElement.clientWidth;
    const clipped = (e) => e.closest(".scroll, .chart") !== null;
    const wide = [...document.querySelectorAll("body *")].filter((e) => !clipped(e) && e.getBoundingClientRect().right > limit + 1);
    return { overflow: document.documentElement.scrollWidth - limit, wide: wide.map((e) => `${e.tagName}.${e.className}`) };
  });
  if (late.overflow > 0) fail(`after moving over the charts the body is ${late.overflow} px wider than the window`);
  if (late.wide.length > 0) fail(`beyond the window: ${late.wide.slice(0, 3).join(", ")}`);
  if ((await page.title()) !== "stepmark report") fail("a tooltip executed text");
  if ((await page.locator("img").count()) > 0) fail("a tooltip turned text into an image");
  if (screenshots) {
    await page.mouse.move(0, 0);
    await page.screenshot({ path: join(screenshots, `${name.replace(".html", "")}-${width}-${scheme}.png`), fullPage: true });
  }
  await context.close();
}

const browser = await playwright.chromium.launch({
  executablePath: chromium,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
for (const name of pages) {
  await check(browser, name, 1280, "light");
  await check(browser, name, 400, "dark");
}
await browser.close();
for (const problem of problems) console.error(problem);
console.log(`${pages.length} pages, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
