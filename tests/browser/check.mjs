// SPDX-License-Identifier: Apache-2.0
// Opens every page of a folder in headless Chromium at desktop and phone width, in both colour
// schemes, and fails on: console errors, page errors, any request that leaves the page, a body
// wider than the window, a chart without drawing, text of a journal that was executed.
// Usage: node check.mjs FOLDER [SCREENSHOT_FOLDER]. Exit 77 (skip) without Chromium or
// playwright-core.
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { launch } from "./chromium.mjs";
import { secondsToInteractive } from "./interactive.mjs";

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
  "decision.html": ["costs", "break-even", "busbw", "latency", "split"],
  "evidence.html": ["busbw", "latency", "split", "scaling", "history"],
  "twenty.html": ["busbw", "latency", "split", "scaling", "history"],
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
  "decision.html": ["Which provider", "<i>north</i>", "a month of <b>m</b>", "At which price it turns"],
  "evidence.html": ["<b>c</b> scale-up links", "declared rate of a link", "base", "85 %", "ALARM 1", "<script>document.title='owned'</script>", "<img src=x onerror", "<u>12ab</u>", "which verifies", "new level"],
  "twenty.html": ["20 runs", "provider-a · out-of-place", "software driver", "leaves out samples"],
  "beside.html": ["figures of others", "<b>Another's</b> cluster", "never a comparison"],
  "concurrent.html": ["At the same time", "tp all_reduce", "50 %", "not performance: single-gpu-timesliced", "Devices while sampled", "sw power cap"],
};

const problems = [];
const kMostBytes = 6 * 2 ** 20;
const kPatienceSeconds = 15; // of a loaded machine; what an idle one takes: results/reference-figures/page.json

// Charts are drawn when they come into view; those inside a closed <details> never are.
async function drawAll(page) {
  for (const chart of await page.locator(".chart:visible").all()) {
    await chart.scrollIntoViewIfNeeded();
    await chart.locator("svg, canvas").first().waitFor({ timeout: 10000 }).catch(() => {});
  }
}

// Kinds of charts in whose section there is neither a table nor one to be opened.
const withoutTable = (page) =>
  page.evaluate(() => {
    const opens = (one) => [...one.querySelectorAll("summary")].some((summary) => summary.textContent.endsWith("as a table"));
    return [...document.querySelectorAll(".chart")].filter((chart) => !chart.closest("section").querySelector("table") && !opens(chart.closest("section"))).map((chart) => chart.dataset.kind);
  });

// Everything that can be pressed, opened or scrolled is reached by the tab key, and Enter opens what is closed.
async function checkKeyboard(page, fail) {
  const wanted = await page.evaluate(() => {
    const all = [...document.querySelectorAll("a[href], button, select, input, summary, [tabindex='0']")].filter((e) => e.checkVisibility());
    all.forEach((e, i) => (e.dataset.stop = i));
    return all.length;
  });
  const reached = new Set();
  await page.evaluate(() => document.activeElement?.blur());
  for (let i = 0; i < wanted + 5; ++i) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => document.activeElement?.dataset.stop ?? null);
    if (stop !== null) reached.add(stop);
  }
  if (reached.size < wanted) fail(`${wanted - reached.size} of ${wanted} controls are not reached by the tab key`);
  const closed = page.locator("details:not([open]) > summary").first();
  await closed.focus();
  await page.keyboard.press("Enter");
  if ((await page.locator("details[open]").count()) === 0) fail("Enter opens nothing");
}

// On paper: light colours whatever the screen has, every visible chart drawn, nothing wider than the page.
async function checkPrint(page, fail) {
  await page.setViewportSize({ width: 718, height: 900 });
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
  await page.waitForTimeout(100);
  const paper = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    card: getComputedStyle(document.documentElement).getPropertyValue("--card").trim(),
    empty: [...document.querySelectorAll(".chart")].filter((c) => c.checkVisibility() && !c.querySelector("svg, canvas")).length,
    charts: Math.max(...[...document.querySelectorAll(".chart svg, .chart canvas")].filter((c) => c.closest(".chart").checkVisibility()).map((c) => c.getBoundingClientRect().width)),
  }));
  if (paper.wide > 718) fail(`printed, the page is ${paper.wide} px wide`);
  if (paper.card !== "#ffffff") fail(`printed, cards are ${paper.card}`);
  if (paper.empty > 0) fail(`printed, ${paper.empty} charts are not drawn`);
  if (paper.charts > 718) fail(`printed, a chart is ${paper.charts} px wide`);
  await page.evaluate(() => window.dispatchEvent(new Event("afterprint")));
  await page.emulateMedia({ media: "screen", colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 900 });
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
  await page.waitForTimeout(50);
  await drawAll(page);

  const seen = await page.evaluate(() => ({
    title: document.title,
    sections: document.querySelectorAll("main section").length,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    scripts: document.querySelectorAll("script").length,
    images: document.querySelectorAll("img").length,
    text: document.body.innerText,
    charts: [...document.querySelectorAll(".chart")].filter((chart) => chart.checkVisibility()).map((chart) => {
      const drawing = chart.querySelector("svg, canvas");
      const box = drawing?.getBoundingClientRect();
      const marks = drawing?.tagName === "CANVAS" ? 1 : (drawing?.querySelectorAll("path").length ?? 0);
      return { kind: chart.dataset.kind, width: box?.width ?? 0, height: box?.height ?? 0, marks };
    }),
  }));
  if (seen.title !== "stepmark report") fail(`title is '${seen.title}': a text was executed`);
  if (seen.images > 0) fail("a text became an image");
  const scripts = name === "decision.html" ? 19 : 11;
  if (seen.scripts !== scripts) fail(`${seen.scripts} scripts instead of ${scripts}: a text became a script`);
  if (seen.sections === 0) fail("no sections");
  if (seen.overflow > 0) fail(`the body is ${seen.overflow} px wider than the window`);
  if (!/\d+ of \d+ cases measured/.test(seen.text)) fail("no verdict line");
  if (name === "hostile.html" && !seen.text.includes("</script>")) fail("the hostile text is not shown");
  for (const text of texts[name] ?? []) {
    if (!seen.text.includes(text)) fail(`'${text}' is not shown`);
  }
  for (const chart of seen.charts) {
    if (chart.width < 200 || chart.height < 60 || chart.marks === 0) {
      fail(`chart ${chart.kind} is not drawn (${chart.width} x ${chart.height}, ${chart.marks} marks)`);
    }
  }
  for (const what of await withoutTable(page)) fail(`chart ${what} has no table`);
  if (name === "evidence.html" && width > 1000) {
    await checkKeyboard(page, fail);
    await checkPrint(page, fail);
  }
  for (const kind of expected[name] ?? []) {
    if (!seen.charts.some((chart) => chart.kind === kind)) fail(`no ${kind} chart`);
  }
  // Tooltips are HTML: move over every chart so that they are built from the journal's texts.
  for (const chart of await page.locator(".chart:visible").all()) {
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

const browser = await launch();
for (const name of pages) {
  // A page is mailed and opened: whatever it holds, it stays small.
  const bytes = statSync(join(folder, name)).size;
  if (bytes > kMostBytes) problems.push(`${name} has ${bytes} bytes, more than ${kMostBytes}`);
  if (name === "twenty.html") {
    const seconds = await secondsToInteractive(browser, pathToFileURL(join(folder, name)).href);
    console.log(`${name}: ${bytes} bytes, interactive in ${seconds.toFixed(2)} s`);
    if (seconds > kPatienceSeconds) problems.push(`${name} is interactive after ${seconds.toFixed(2)} s`);
  }
  await check(browser, name, 1280, "light");
  if (name !== "twenty.html") await check(browser, name, 400, "dark");
}
await browser.close();
for (const problem of problems) console.error(problem);
console.log(`${pages.length} pages, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
