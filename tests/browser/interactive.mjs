// SPDX-License-Identifier: Apache-2.0
// How long a page takes until it answers: from the begin of the navigation until a click has opened
// something and a frame with it was drawn.
// Usage: node interactive.mjs PAGE [TIMES]: JSON of every time and the median.
import { existsSync, realpathSync, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export async function secondsToInteractive(browser, address) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await page.goto(address, { waitUntil: "load" });
  const summary = page.locator("main summary").first();
  await summary.evaluate((one) => one.click());
  const milliseconds = await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())))));
  await context.close();
  return milliseconds / 1000;
}

async function main([file, times]) {
  const playwright = await import("playwright-core");
  const executablePath = process.env.PATH.split(delimiter)
    .flatMap((folder) => ["chromium", "chromium-browser"].map((name) => join(folder, name)))
    .find(existsSync);
  const browser = await playwright.chromium.launch({ executablePath, args: ["--headless", "--no-sandbox", "--disable-gpu"] });
  const seconds = [];
  for (let i = 0; i < Number(times ?? 11); ++i) seconds.push(await secondsToInteractive(browser, pathToFileURL(resolve(file)).href));
  const sorted = seconds.slice().sort((a, b) => a - b);
  console.log(JSON.stringify({ bytes: statSync(file).size, chromium: browser.version(), median_s: sorted[sorted.length >> 1], seconds }));
  await browser.close();
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
