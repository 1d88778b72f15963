/** The method guess: shows each image when it comes near the window, one after the other. */

import { createViewer } from "../viewer/viewer.js";

const NEAR = "400px";
const PAUSES_MS = [500, 2000, 5000];

const page = JSON.parse(document.querySelector("#guess-data").textContent);
const trouble = document.querySelector("#guess-trouble");
const boxes = [...document.querySelectorAll("[data-image]")];

/** @param {string} url @returns {Promise<ArrayBuffer>} */
async function load(url) {
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await fetch(url, { cache: "no-store", redirect: "error" });
      if (response.ok) return await response.arrayBuffer();
      throw new Error(String(response.status));
    } catch (error) {
      if (attempt === PAUSES_MS.length) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSES_MS[attempt]));
    }
  }
}

/** @param {HTMLElement} box */
async function show(box) {
  const item = page.items[Number(box.dataset.image)];
  try {
    const bytes = await load(item.key);
    const viewer = createViewer(box, {
      renderer: "canvas",
      interpolation: page.interpolation,
      fixedWindow: true,
      fixedZoom: true,
    });
    viewer.load(bytes, item);
    viewer.show(item.key);
    box.dataset.painted = "";
  } catch {
    trouble.hidden = false;
  }
}

let queue = Promise.resolve();
const observer = new IntersectionObserver(
  (entries) => {
    const near = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
    for (const box of boxes.filter((one) => near.includes(one))) {
      observer.unobserve(box);
      queue = queue.then(() => show(box));
    }
  },
  { rootMargin: NEAR },
);
for (const box of boxes) observer.observe(box);
