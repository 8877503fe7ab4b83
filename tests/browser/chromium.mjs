// SPDX-License-Identifier: Apache-2.0
// The system's Chromium through playwright-core; exit 77 (skip) where either is missing.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const unavailable = (what) => {
  console.error(`skipped: no ${what}`);
  process.exit(77);
};

export async function launch() {
  const chromium = (process.env.PATH ?? "")
    .split(delimiter)
    .flatMap((folder) => ["chromium", "chromium-browser"].map((name) => join(folder, name)))
    .find(existsSync);
  if (!chromium) unavailable("chromium");
  const playwright = await import("playwright-core").catch(() => unavailable("playwright-core (npm ci --prefix tests/browser)"));
  return playwright.chromium.launch({
    executablePath: chromium,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}
