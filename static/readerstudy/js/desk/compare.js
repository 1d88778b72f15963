/**
 * Any slice of a case with all methods side by side: one window, one zoom, one place for all panes.
 *
 * @typedef {{url: string, note: string}} Pane
 * @typedef {{center: number, width: number}} Window
 * @typedef {{index: number, window: Window, panes: Pane[]}} Slice
 * @typedef {{name: string, center: number, width: number}} Preset
 * @typedef {{rows: number, columns: number, spacing: [number, number] | null, slope: number, intercept: number,
 *   inverted: boolean, slices: Slice[], captions: string[], presets: Preset[], at: number}} Data
 */

import { createViewer } from "../viewer/viewer.js";

const AHEAD = 1;
const ZOOM_STEP = 1.2;
const PAN_STEP = 40;
/** Stored value of no difference. */
const MIDDLE = 32768;

/** @param {string} selector @returns {any} */
const find = (selector) => document.querySelector(selector);

class Comparison {
  #data;
  #boxes;
  #viewers;
  #at = 0;
  #asked = 0;
  #preset = 0;
  #difference = false;
  #following = false;
  /** @type {Map<string, Promise<ArrayBuffer>>} */
  #kept = new Map();

  /** @param {Data} data */
  constructor(data) {
    this.#data = data;
    this.#boxes = [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".compare-pane"))];
    this.#viewers = this.#boxes.map((box, pane) => {
      const viewer = createViewer(/** @type {HTMLElement} */ (box.querySelector(".compare-image")));
      viewer.on("user", (state) => this.#follow(pane, state));
      viewer.on("scroll", (steps) => this.go(this.#at + steps));
      return viewer;
    });
    this.go(Math.min(data.slices.length, data.at) - 1);
  }

  get at() {
    return this.#at;
  }

  get last() {
    return this.#data.slices.length - 1;
  }

  /** Shows a slice on all panes at once, when every one of its images is here. @param {number} wanted counted from 0 */
  async go(wanted) {
    const at = Math.min(this.last, Math.max(0, wanted));
    const asked = ++this.#asked;
    try {
      const images = await Promise.all(this.#data.slices[at].panes.map((pane) => (pane.url ? this.#fetch(pane.url) : null)));
      if (asked !== this.#asked) return;
      this.#at = at;
      this.#say("");
      this.#show(images);
      this.#keepNear();
    } catch (error) {
      if (asked === this.#asked) this.#say(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {number} step through the presets; the first is the slice's own window */
  preset(step = 1) {
    const offered = [{ name: "Own window", ...this.#slice.window }, ...this.#data.presets];
    this.#preset = (this.#preset + step + offered.length) % offered.length;
    const { name, center, width } = offered[this.#preset];
    find("#preset").textContent = name;
    this.#first?.setWindow(center, width);
  }

  difference() {
    this.#difference = !this.#difference;
    find('[data-act="difference"]').setAttribute("aria-pressed", String(this.#difference));
    this.go(this.#at);
  }

  reset() {
    this.#preset = 0;
    find("#preset").textContent = "Own window";
    for (const viewer of this.#viewers) viewer.reset();
  }

  /** @param {(viewer: any) => void} act one step on the first pane that shows something; the others follow */
  act(act) {
    if (this.#first) act(this.#first);
  }

  get #slice() {
    return this.#data.slices[this.#at];
  }

  get #first() {
    return this.#viewers.find((viewer) => viewer.frame);
  }

  #show(images) {
    const { slices, captions } = this.#data;
    const before = this.#viewers.map((viewer) => viewer.state());
    const view = before.find((state) => state.key);
    this.#viewers.forEach((viewer, pane) => {
      const { url, note } = this.#slice.panes[pane];
      const subtracts = this.#difference && pane > 0 && images[0];
      const [title, text] = /** @type {any} */ (this.#boxes[pane].querySelector("figcaption")).children;
      title.textContent = captions[pane] + (subtracts ? " − reference" : "");
      text.textContent = note;
      this.#boxes[pane].querySelector(".compare-image")?.setAttribute("aria-label", `${title.textContent}, ${note}`);
      if (!url || !images[pane]) {
        viewer.blank();
        return;
      }
      const kind = subtracts ? "difference" : "image";
      const key = `${kind}/${this.#at}`;
      const old = before[pane].key;
      if (subtracts) viewer.load(subtract(images[pane], images[0]), this.#meta(key, true));
      else viewer.load(images[pane], this.#meta(key, false));
      const same = old?.startsWith(kind);
      viewer.show(key, { keep: Boolean(same) });
      if (!same) this.#takeView(viewer, view, subtracts ? null : before.find((state) => state.key?.startsWith("image")));
      if (old && old !== key) viewer.unload(old);
    });
    find("#place").textContent = `${this.#at + 1} / ${slices.length}`;
    find("#slice-field").value = String(this.#at + 1);
    const address = new URL(location.href);
    address.searchParams.set("slice", String(this.#at + 1));
    history.replaceState(null, "", address);
    document.body.dataset.painted = `${this.#difference ? "difference" : "image"}/${this.#at + 1}`;
  }

  #meta(key, subtracts) {
    const { rows, columns, spacing, slope, intercept, inverted } = this.#data;
    const common = { key, rows, columns, spacing, slope };
    if (subtracts) return { ...common, intercept: -MIDDLE * slope, window: { center: 0, width: this.#slice.window.width / 2 } };
    return { ...common, intercept, inverted, window: this.#slice.window };
  }

  /** A pane that changes between image and difference keeps its place, and comes back to the window of the others. */
  #takeView(viewer, view, image) {
    if (image) viewer.follow(image);
    else if (view && !view.fitted) this.#quietly(() => viewer.view({ zoom: view.zoom, pan: view.pan }));
  }

  /** The other panes take over what one did: the place always, the window from panes of the same kind. */
  #follow(from, state) {
    if (this.#following) return;
    const kind = this.#kind(from);
    this.#quietly(() => {
      this.#viewers.forEach((viewer, pane) => {
        if (pane === from || !viewer.frame) return;
        if (this.#kind(pane) === kind) viewer.follow(state);
        else if (state.fitted) viewer.fit();
        else viewer.view({ zoom: state.zoom, pan: state.pan });
      });
    });
  }

  #kind(pane) {
    return this.#viewers[pane].frame?.key.split("/")[0];
  }

  #quietly(act) {
    this.#following = true;
    try {
      act();
    } finally {
      this.#following = false;
    }
  }

  #fetch(url) {
    const kept = this.#kept.get(url);
    if (kept) return kept;
    const bytes = fetch(url, { cache: "no-store" }).then(async (response) => {
      if (response.ok) return response.arrayBuffer();
      throw new Error(response.status === 409 || response.redirected ? "Open this comparison again: reload the page." : `An image could not be loaded (${response.status}): reload the page.`);
    });
    bytes.catch(() => this.#kept.delete(url));
    this.#kept.set(url, bytes);
    return bytes;
  }

  /** Fetches the neighbours and forgets what lies further away. */
  #keepNear() {
    const near = new Set();
    for (let at = this.#at - AHEAD; at <= this.#at + AHEAD; at++) {
      for (const { url } of this.#data.slices[at]?.panes ?? []) if (url) near.add(url);
    }
    for (const url of this.#kept.keys()) if (!near.has(url)) this.#kept.delete(url);
    for (const url of near) this.#fetch(url).catch(() => {});
  }

  #say(sentence) {
    const note = find("#compare-note");
    note.textContent = sentence;
    note.hidden = !sentence;
  }
}

/** What a method changed, around the middle of the range. @param {ArrayBuffer} image @param {ArrayBuffer} reference */
function subtract(image, reference) {
  const [first, second] = [new Uint16Array(image), new Uint16Array(reference)];
  return Uint16Array.from(first, (value, at) => Math.min(65535, Math.max(0, MIDDLE + value - second[at]))).buffer;
}

/** @param {Comparison} shown @returns {Record<string, () => void>} */
const actsOf = (shown) => ({
  previous: () => shown.go(shown.at - 1),
  next: () => shown.go(shown.at + 1),
  first: () => shown.go(0),
  end: () => shown.go(shown.last),
  preset: () => shown.preset(1),
  preset_back: () => shown.preset(-1),
  difference: () => shown.difference(),
  reset: () => shown.reset(),
  fit: () => shown.act((viewer) => viewer.fit()),
  one_to_one: () => shown.act((viewer) => viewer.oneToOne()),
  invert: () => shown.act((viewer) => viewer.invert()),
  larger: () => shown.act((viewer) => viewer.zoomBy(ZOOM_STEP)),
  smaller: () => shown.act((viewer) => viewer.zoomBy(1 / ZOOM_STEP)),
});

/** @type {Record<string, string>} */
const KEYS = {
  ArrowLeft: "previous", ArrowUp: "previous", ArrowRight: "next", ArrowDown: "next", Home: "first", End: "end",
  w: "preset", W: "preset_back", d: "difference", f: "fit", o: "one_to_one", r: "reset", i: "invert",
  "+": "larger", "=": "larger", "-": "smaller",
};
/** @type {Record<string, [number, number]>} */
const DIRECTIONS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function start() {
  const written = document.getElementById("compare-data");
  if (!written) return;
  const shown = new Comparison(JSON.parse(written.textContent ?? ""));
  const acts = actsOf(shown);
  for (const button of document.querySelectorAll("[data-act]")) {
    button.addEventListener("click", () => acts[button.getAttribute("data-act") ?? ""]?.());
  }
  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === "Escape" && find(".compare-choose[open]")) {
      find(".compare-choose").open = false;
      find(".compare-choose summary").focus();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, select, textarea, .compare-choose[open]")) return;
    if (event.shiftKey && event.key in DIRECTIONS) {
      const [x, y] = DIRECTIONS[event.key];
      shown.act((viewer) => viewer.panBy(PAN_STEP * x, PAN_STEP * y));
    } else if (event.key in KEYS) acts[KEYS[event.key]]();
    else return;
    event.preventDefault();
  });
}

start();
