/** Window, zoom and pan by key and button; the read-out of both. */

import { Lens } from "../viewer/lens.js";
import { Dwell } from "./dwell.js";
import { find } from "./status.js";
import { text } from "./texts.js";

const PAN_STEP = 40;
const ZOOM_STEP = 1.2;
const WINDOW_STEP = 0.05;

/** @typedef {{name: string, center: number, width: number}} Preset */

export class Tools {
  #stage;
  #presets;
  /** @type {Preset[]} */
  #offered = [];
  #windowChanges = 0;
  #last = "";
  #display;
  #dwell = new Dwell();
  /** @type {Lens | null} */
  #lens = null;
  #offset = 0;

  /** @param {import("./stage.js").Stage} stage @param {Record<string, Preset[]>} presets by modality
   * @param {{window: string, zoom: string, interpolation: string}} display */
  constructor(stage, presets, display) {
    this.#stage = stage;
    this.#presets = presets;
    this.#display = display;
    for (const button of document.querySelectorAll("[data-tool]")) {
      button.addEventListener("click", () => this.perform({ name: button.getAttribute("data-tool") ?? "" }));
    }
    find("#window-tools").hidden = display.window === "fixed";
    find("#zoom-tools").hidden = display.zoom === "fixed";
  }

  /** Offers the windows that fit the image; the first is always its own. @param {import("./session.js").Item} item */
  start(item) {
    const fitting = this.#presets[item.modality] ?? [];
    this.#offered = [{ name: text("own_window"), ...item.window }, ...fitting];
    find("#presets").replaceChildren(...this.#offered.map((preset, index) => this.#button(preset, index)));
    this.#windowChanges = 0;
    this.#offset = 0;
    this.#last = this.#windowOf(this.#stage.state());
    this.#dwell.start(this.#stage.state());
    this.show(this.#stage.state());
  }

  /** No image, no tool. */
  end() {
    this.#lens?.destroy();
    this.#lens = null;
    find('[data-tool="magnify"]').setAttribute("aria-pressed", "false");
  }

  /** What is stored with a score: the view at this moment, and the time in every setting before. */
  get viewport() {
    const { center, width, zoom, pan, invert, size, renderer } = this.#stage.state();
    return { center, width, zoom, pan, invert, size, renderer, density: devicePixelRatio, settings: this.#dwell.read() };
  }

  /** @param {number} offset of the slice on the screen from the one that is scored */
  frameShown(offset) {
    this.#offset = offset;
    this.show(this.#stage.state());
  }

  /** Windows set since the image came up, one per gesture or key. */
  get windowChanges() {
    return this.#windowChanges;
  }

  /** @param {{name: string, argument?: number, direction?: [number, number]}} action @returns {boolean} whether it was a tool's */
  perform({ name, argument = 1, direction }) {
    const state = this.#stage.state();
    if (!state?.key) return false;
    if (name === "magnify") return this.#magnify();
    if (name === "scroll") this.#stage.scroll(argument);
    const step = state.width * WINDOW_STEP * argument;
    /** @type {Record<string, (viewer: any) => void>} */
    const acts = {
      invert: (viewer) => viewer.invert(),
      reset: (viewer) => viewer.reset(),
      fit: (viewer) => viewer.fit(),
      one_to_one: (viewer) => viewer.oneToOne(),
      zoom: (viewer) => viewer.zoomBy(ZOOM_STEP ** argument),
      zoom_out: (viewer) => viewer.zoomBy(1 / ZOOM_STEP),
      pan: (viewer) => viewer.panBy(-PAN_STEP * (direction?.[0] ?? 0), -PAN_STEP * (direction?.[1] ?? 0)),
      level: (viewer) => viewer.setWindow(state.center + step, state.width),
      width: (viewer) => viewer.setWindow(state.center, state.width + 2 * step),
      preset: (viewer) => this.#choose(viewer, argument - 1),
      next_preset: (viewer) => this.#choose(viewer, this.#chosen(state) + argument),
    };
    if (!(name in acts)) return false;
    this.#stage.act(acts[name]);
    if (name === "reset") this.#stage.viewers.forEach((viewer) => viewer.reset());
    this.settle();
    return true;
  }

  /** A gesture is over: count it if it changed the window. */
  settle() {
    const now = this.#windowOf(this.#stage.state());
    if (now !== this.#last) this.#windowChanges += 1;
    this.#last = now;
  }

  /** @param {any} state of the viewer */
  show(state) {
    if (!state?.key) return;
    this.#dwell.change(state);
    const round = (value) => String(Math.round(value * 10) / 10);
    const parts = [];
    if (this.#display.window !== "fixed") parts.push(text("readout_window", { center: round(state.center), width: round(state.width) }));
    parts.push(text("readout_zoom", { percent: Math.round(state.zoom * 100) }));
    if (this.#offset) parts.push(text("readout_slice", { offset: (this.#offset > 0 ? "+" : "−") + Math.abs(this.#offset) }));
    find("#readout").textContent = parts.join(" · ");
    const chosen = this.#chosen(state);
    document.querySelectorAll("#presets button").forEach((button, index) => {
      button.setAttribute("aria-pressed", String(index === chosen));
    });
    find('[data-tool="invert"]').setAttribute("aria-pressed", String(state.invert));
  }

  #button(preset, index) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.textContent = preset.name;
    if (index < 9) button.title = `Alt+${index + 1}`;
    button.addEventListener("click", () => this.perform({ name: "preset", argument: index + 1 }));
    return button;
  }

  #magnify() {
    if (this.#display.zoom === "fixed") return false;
    if (this.#lens) this.end();
    else {
      this.#lens = new Lens(find(".pane"), this.#stage.viewers[0], this.#display.interpolation);
      find('[data-tool="magnify"]').setAttribute("aria-pressed", "true");
    }
    return true;
  }

  #choose(viewer, index) {
    const preset = this.#offered[(index + this.#offered.length) % this.#offered.length];
    if (preset) viewer.setWindow(preset.center, preset.width);
  }

  #chosen({ center, width }) {
    return this.#offered.findIndex((preset) => preset.center === center && preset.width === width);
  }

  #windowOf(state) {
    return state ? `${state.center}/${state.width}/${state.invert}` : "";
  }
}
