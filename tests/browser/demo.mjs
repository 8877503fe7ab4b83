// SPDX-License-Identifier: Apache-2.0
// The page of scripts/demo-renewal says what the demo states as true: one workload is decided, the other is not.
// Usage: node demo.mjs PYTHON SCRIPT BINARY FOLDER
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { launch } from "./chromium.mjs";

const [python, script, binary, folder] = process.argv.slice(2);
const browser = await launch();
const made = spawnSync(python, [script, "--binary", binary, "--out", resolve(folder)], { encoding: "utf8" });
if (made.status !== 0) {
  console.error(made.stdout, made.stderr);
  process.exit(1);
}
const page = await browser.newPage();
await page.goto(pathToFileURL(join(resolve(folder), "decision.html")).href, { waitUntil: "load" });
await page.waitForSelector("#mix[aria-busy=false]");
const answer = (await page.locator("#answer").innerText()).replace(/\s+/g, " ");
await browser.close();
const wanted = [
  "llama3-8b: east is the cheapest per token.",
  /llama3-70b: (north|east) has the lowest figure, but the measurements do not decide it\./,
  "llama3-8b moves: east 100 %",
];
const missing = wanted.filter((text) => !(text instanceof RegExp ? text.test(answer) : answer.includes(text)));
if (answer.includes("llama3-70b moves")) missing.push("that llama3-70b stays");
for (const text of missing) console.error(`the page does not say '${text}': ${answer}`);
process.exit(missing.length === 0 ? 0 : 1);
