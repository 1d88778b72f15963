/** A magnifier over a pane: the same frame in the same window, larger, about the point under the cursor. */

import { createViewer } from "./viewer.js";

const TIMES = 2.5;

export class Lens {
  #box = document.createElement("div");
  #viewer;
  #pane;
  #of;
  #stop;
  #key = "";

  /** @param {HTMLElement} pane @param {any} viewer of the pane @param {string} interpolation */
  constructor(pane, viewer, interpolation) {
    this.#pane = pane;
    this.#of = viewer;
    this.#box.className = "lens";
    this.#box.setAttribute("aria-hidden", "true");
    pane.append(this.#box);
    this.#viewer = createViewer(this.#box, /** @type {any} */ ({ renderer: "canvas", interpolation }));
    const box = pane.getBoundingClientRect();
    this.#at(box.width / 2, box.height / 2);
    const move = (event) => {
      const { left, top } = pane.getBoundingClientRect();
      this.#at(event.clientX - left, event.clientY - top);
    };
    pane.addEventListener("pointermove", move);
    const still = viewer.on("change", () => this.#draw());
    this.#stop = () => {
      pane.removeEventListener("pointermove", move);
      still();
    };
  }

  destroy() {
    this.#stop();
    this.#viewer.destroy();
    this.#box.remove();
  }

  #at(x, y) {
    this.#box.style.left = `${x}px`;
    this.#box.style.top = `${y}px`;
    this.#draw(x, y);
  }

  #draw(x = parseFloat(this.#box.style.left), y = parseFloat(this.#box.style.top)) {
    const frame = this.#of.frame;
    const at = this.#of.pick(x, y);
    if (!frame || !at) return;
    if (frame.key !== this.#key) {
      this.#viewer.load(frame.pixels.buffer, frame);
      this.#viewer.show(frame.key);
      this.#viewer.unload(this.#key);
      this.#key = frame.key;
    }
    const state = this.#of.state();
    const pan = /** @type {[number, number]} */ ([at.x - frame.columns / 2, at.y - frame.rows / 2]);
    this.#viewer.follow({ ...state, zoom: TIMES * state.zoom, pan, fitted: false });
  }
}
