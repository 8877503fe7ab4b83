// SPDX-License-Identifier: Apache-2.0
// Draws what comes into view, and all of it before printing: a page of many runs opens at once. Paper
// is light and narrow, whatever the screen is.
"use strict";

const lazy = (() => {
  const kPaperWidth = 680; // pixels between the margins of A4 or letter
  const waiting = new Map(); // element -> what draws it

  function draw(element) {
    const build = waiting.get(element);
    if (!build) return;
    waiting.delete(element);
    observer.unobserve(element);
    build();
  }
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
    },
    { rootMargin: "300px 0px" },
  );

  // `build` once, when `element` is near the window; inside a closed <details> it never is.
  function whenSeen(element, build) {
    waiting.set(element, build);
    observer.observe(element);
  }

  function all() {
    for (const element of [...waiting.keys()]) if (element.checkVisibility()) draw(element);
  }

  window.addEventListener("beforeprint", () => {
    document.documentElement.dataset.print = "";
    all();
    charts.fit(kPaperWidth);
  });
  window.addEventListener("afterprint", () => {
    delete document.documentElement.dataset.print;
    charts.fit();
  });

  // Content that is only made when a <details> is opened.
  function details(el, summary, make) {
    const out = el("details", {}, el("summary", {}, summary));
    out.addEventListener("toggle", () => out.open && out.childElementCount === 1 && out.append(make()));
    return out;
  }

  return { whenSeen, all, details };
})();
