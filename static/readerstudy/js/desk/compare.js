/**
 * Any slice of a case with all methods side by side: one window, one zoom, one place for all panes.
 *
 * @typedef {{url: string, note: string, deviation?: {url: string, step: number}}} Pane
 * @typedef {{center: number, width: number}} Window
 * @typedef {{index: number, window: Window, panes: Pane[]}} Slice
 * @typedef {{name: string, center: number, width: number}} Preset
 * @typedef {{rows: number, columns: number, spacing: [number, number] | null, slope: number, intercept: number,
 *   inverted: boolean, slices: Slice[], captions: string[], samples: number[],
 *   unit: string, maps: boolean, presets: Preset[], at: number}} Data
 */

import { createViewer } from "../viewer/viewer.js";

const AHEAD = 1;
const ZOOM_STEP = 1.2;
const PAN_STEP = 40;
/** Stored value of no difference. */
const MIDDLE = 32768;
/** Share of an SD map's pixels that are darker than white at first. */
const SHOWN_SHARE = 0.995;

/** @param {string} selector @returns {any} */
const find = (selector) => document.querySelector(selector);

class Comparison {
  #data;
  #boxes;
  #viewers;
  #at = 0;
  #asked = 0;
  #preset = 0;
  /** @type {"image" | "difference" | "deviation"} */
  #mode = "image";
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
      viewer.on("change", () => this.#kind(pane) === "deviation" && this.#caption(pane));
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
      const { panes } = this.#data.slices[at];
      const images = await Promise.all(panes.map((pane) => (pane.url ? this.#fetch(pane.url) : null)));
      const maps = await Promise.all(panes.map((pane) => this.#mapOf(pane)));
      if (asked !== this.#asked) return;
      this.#at = at;
      this.#say("");
      this.#show(images, maps);
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

  /** Changes between the images and what one mode shows instead. @param {"difference" | "deviation"} mode */
  toggle(mode) {
    if (mode === "deviation" && !this.#data.maps) return;
    this.#mode = this.#mode === mode ? "image" : mode;
    for (const one of ["difference", "deviation"]) {
      find(`[data-act="${one}"]`)?.setAttribute("aria-pressed", String(this.#mode === one));
    }
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

  /** The SD map of a pane where it is to be shown: null where the run has none. @param {Pane} pane */
  #mapOf(pane) {
    return this.#mode === "deviation" && pane.deviation ? this.#fetch(pane.deviation.url) : null;
  }

  #show(images, maps) {
    const before = this.#viewers.map((viewer) => viewer.state());
    const view = before.find((state) => state.key);
    const white = this.#white(maps);
    this.#viewers.forEach((viewer, pane) => {
      if (!images[pane]) {
        viewer.blank();
        this.#caption(pane);
        return;
      }
      const kind = maps[pane] ? "deviation" : this.#mode === "difference" && pane > 0 && images[0] ? "difference" : "image";
      const key = `${kind}/${this.#at}`;
      const old = before[pane].key;
      const shown = kind === "difference" ? subtract(images[pane], images[0]) : (maps[pane] ?? images[pane]);
      viewer.load(shown, this.#meta(key, kind, pane, white));
      const same = old?.startsWith(kind);
      viewer.show(key, { keep: Boolean(same) });
      if (!same) this.#takeView(viewer, view, kind === "image" ? before.find((state) => state.key?.startsWith("image")) : null);
      if (old && old !== key) viewer.unload(old);
      this.#caption(pane);
    });
    find("#place").textContent = `${this.#at + 1} / ${this.#data.slices.length}`;
    find("#slice-field").value = String(this.#at + 1);
    const address = new URL(location.href);
    address.searchParams.set("slice", String(this.#at + 1));
    history.replaceState(null, "", address);
    document.body.dataset.painted = `${this.#mode}/${this.#at + 1}`;
  }

  /** What stands below a pane: whose image it is and its metrics, or the scale of its SD map. @param {number} pane */
  #caption(pane) {
    const { captions, samples, slices } = this.#data;
    const kind = this.#kind(pane);
    const suffix = { difference: " − reference", deviation: `: SD over ${samples[pane]} samples` };
    const [title, text] = /** @type {any} */ (this.#boxes[pane].querySelector("figcaption")).children;
    title.textContent = captions[pane] + (suffix[kind] ?? "");
    text.textContent = kind === "deviation" ? this.#scale(pane) : slices[this.#at].panes[pane].note;
    this.#boxes[pane].querySelector(".compare-image")?.setAttribute("aria-label", `${title.textContent}, ${text.textContent}`);
  }

  /** The SD that black and white stand for. */
  #scale(pane) {
    const { center, width, invert } = this.#viewers[pane].state();
    const ends = [center - width / 2, center + width / 2].map((value) => Number(value.toPrecision(3)));
    const [black, white] = invert ? ends.reverse() : ends;
    return `black ${black}, white ${white} ${this.#data.unit}`;
  }

  /** One white for all SD maps of a slice, so that they can be compared. */
  #white(maps) {
    const steps = this.#slice.panes.map((pane) => pane.deviation?.step ?? 0);
    return Math.max(...maps.map((map, pane) => (map ? steps[pane] * quantile(map, SHOWN_SHARE) : 0)), ...steps);
  }

  #meta(key, kind, pane, white) {
    const { rows, columns, spacing, slope, intercept, inverted } = this.#data;
    const common = { key, rows, columns, spacing, slope };
    if (kind === "deviation") return { ...common, slope: this.#slice.panes[pane].deviation?.step ?? 1, intercept: 0, window: { center: white / 2, width: white } };
    if (kind === "difference") return { ...common, intercept: -MIDDLE * slope, window: { center: 0, width: this.#slice.window.width / 2 } };
    return { ...common, intercept, inverted, window: this.#slice.window };
  }

  /** A pane that changes what it shows keeps its place, and comes back to the window of the others. */
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
      for (const { url, deviation } of this.#data.slices[at]?.panes ?? []) {
        if (url) near.add(url);
        if (deviation && this.#mode === "deviation") near.add(deviation.url);
      }
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

/** The stored value that this share of a map does not exceed. @param {ArrayBuffer} map @param {number} share */
function quantile(map, share) {
  const values = new Uint16Array(map.slice(0)).sort();
  return values[Math.ceil(share * values.length) - 1];
}

/** @param {Comparison} shown @returns {Record<string, () => void>} */
const actsOf = (shown) => ({
  previous: () => shown.go(shown.at - 1),
  next: () => shown.go(shown.at + 1),
  first: () => shown.go(0),
  end: () => shown.go(shown.last),
  preset: () => shown.preset(1),
  preset_back: () => shown.preset(-1),
  difference: () => shown.toggle("difference"),
  deviation: () => shown.toggle("deviation"),
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
  w: "preset", W: "preset_back", d: "difference", s: "deviation", f: "fit", o: "one_to_one", r: "reset", i: "invert",
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
