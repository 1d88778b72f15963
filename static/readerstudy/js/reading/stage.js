/**
 * The panes of one presentation, moved together: same window, same zoom, same place.
 *
 * @typedef {import("./session.js").Item} Item
 */

import { createViewer } from "../viewer/viewer.js";

export class Stage {
  /** @type {ReturnType<typeof createViewer>[]} */
  viewers = [];
  #element;
  #options;
  #changed;
  #frame = 0;
  #stack = 1;
  /** @type {string[]} */
  #loaded = [];

  /** @param {HTMLElement} element @param {any} options of every viewer @param {(state: any) => void} changed */
  constructor(element, options, changed) {
    this.#element = element;
    this.#options = options;
    this.#changed = changed;
  }

  /** Shows a presentation; resolves when it is on the screen. @param {Item} item @param {ArrayBuffer[][]} panes @param {string} label */
  async show(item, panes, label) {
    this.#setPanes(panes.length);
    this.#frame = 0;
    this.#stack = panes[0].length;
    const before = this.#loaded;
    this.#loaded = panes[0].map((_, frame) => `${item.id}/${frame}`);
    const painted = this.viewers.map((viewer, pane) => {
      panes[pane].forEach((bytes, frame) => viewer.load(bytes, { ...item, key: this.#loaded[frame] }));
      return this.#shown(viewer, label, pane);
    });
    for (const key of before.filter((one) => !this.#loaded.includes(one))) {
      for (const viewer of this.viewers) viewer.unload(key);
    }
    await Promise.all(painted);
  }

  blank() {
    for (const viewer of this.viewers) viewer.blank();
  }

  state() {
    return this.viewers[0]?.state();
  }

  /** One step of a tool on all panes. @param {(viewer: any) => void} act */
  act(act) {
    if (this.viewers[0]) act(this.viewers[0]);
  }

  focus() {
    /** @type {HTMLElement | null} */ (this.#element.querySelector(".pane"))?.focus({ preventScroll: true });
  }

  /** @param {number} steps through neighbouring frames */
  scroll(steps) {
    const next = Math.min(this.#stack - 1, Math.max(0, this.#frame + steps));
    if (next === this.#frame) return;
    this.#frame = next;
    for (const viewer of this.viewers) viewer.show(this.#loaded[next], { keep: true });
  }

  #shown(viewer, label, pane) {
    const box = this.#element.querySelectorAll(".pane")[pane];
    box.setAttribute("aria-label", label);
    return new Promise((resolve) => {
      const stop = viewer.on("painted", () => {
        stop();
        resolve(undefined);
      });
      viewer.show(this.#loaded[0]);
    });
  }

  #setPanes(count) {
    while (this.viewers.length > count) {
      this.viewers.pop()?.destroy();
      this.#element.querySelectorAll(".pane")[this.viewers.length].remove();
    }
    while (this.viewers.length < count) {
      const box = document.createElement("div");
      box.className = "pane";
      box.tabIndex = 0;
      box.setAttribute("role", "img");
      this.#element.append(box);
      const viewer = createViewer(box, this.#options);
      viewer.on("change", (state) => viewer === this.viewers[0] && this.#changed(state));
      viewer.on("user", (state) => this.viewers.forEach((other) => other !== viewer && other.follow(state)));
      viewer.on("scroll", (steps) => this.scroll(steps));
      this.viewers.push(viewer);
    }
  }
}
