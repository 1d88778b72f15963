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
  #frameShown;
  /** Frame indices in the order of the volume, and the place in it of the one that is shown. */
  #order = [0];
  #place = 0;
  /** @type {string[]} */
  #loaded = [];
  /** @type {Item | null} */
  #item = null;

  /**
   * @param {HTMLElement} element @param {any} options of every viewer @param {(state: any) => void} changed
   * @param {(index: number, offset: number) => void} frameShown another slice of the stack is on the screen
   */
  constructor(element, options, changed, frameShown = () => {}) {
    this.#element = element;
    this.#options = options;
    this.#changed = changed;
    this.#frameShown = frameShown;
  }

  /**
   * Shows a presentation; resolves when it is on the screen.
   * @param {Item} item @param {ArrayBuffer[][]} panes @param {string} label
   * @param {string[]} [captions] a word over each pane, where there are several
   */
  async show(item, panes, label, captions = []) {
    this.#setPanes(panes.length);
    this.#caption(captions);
    this.#order = item.panes[0].map((_, frame) => frame).sort((a, b) => item.panes[0][a].offset - item.panes[0][b].offset);
    this.#place = this.#order.indexOf(0);
    this.#item = item;
    const before = this.#loaded;
    this.#loaded = panes[0].map((_, frame) => `${item.id}/${frame}`);
    const painted = this.viewers.map((viewer, pane) => {
      panes[pane].forEach((bytes, frame) => viewer.load(bytes, { ...item, key: this.#loaded[frame] }));
      return this.#shown(viewer, [label, captions[pane]].filter(Boolean).join(", "), pane);
    });
    for (const key of before.filter((one) => !this.#loaded.includes(one))) {
      for (const viewer of this.viewers) viewer.unload(key);
    }
    await Promise.all(painted);
  }

  /** What the next `show` will show, made ready while the reader looks. @param {Item} item @param {ArrayBuffer[][]} panes */
  prepare(item, panes) {
    if (panes.length !== this.viewers.length) return;
    this.viewers.forEach((viewer, pane) => viewer.prepare(panes[pane][0], { ...item, key: `${item.id}/0` }));
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

  /** @param {number} steps through neighbouring slices */
  scroll(steps) {
    const next = Math.min(this.#order.length - 1, Math.max(0, this.#place + steps));
    if (next === this.#place || !this.#item) return;
    this.#place = next;
    const frame = this.#order[next];
    for (const viewer of this.viewers) viewer.show(this.#loaded[frame], { keep: true });
    this.#frameShown(frame, this.#item.panes[0][frame].offset);
  }

  #caption(captions) {
    this.#element.querySelectorAll(".pane-caption").forEach((caption, pane) => {
      caption.textContent = captions[pane] ?? "";
    });
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
      const caption = document.createElement("p");
      caption.className = "pane-caption";
      caption.setAttribute("aria-hidden", "true");
      box.append(caption);
      this.#element.append(box);
      const viewer = createViewer(box, this.#options);
      viewer.on("change", (state) => viewer === this.viewers[0] && this.#changed(state));
      viewer.on("user", (state) => this.viewers.forEach((other) => other !== viewer && other.follow(state)));
      viewer.on("scroll", (steps) => this.scroll(steps));
      this.viewers.push(viewer);
    }
  }
}
