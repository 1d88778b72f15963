/**
 * One pane that shows 16-bit greyscale frames: load, show, window, view, pick, locate.
 *
 * @typedef {import("./window.js").Window} Window
 * @typedef {{key: string, rows: number, columns: number, spacing: [number, number] | null, slope: number,
 *   intercept: number, window: Window, inverted?: boolean}} Meta
 * @typedef {Meta & {pixels: Uint16Array}} Frame
 * @typedef {{renderer?: "auto" | "webgl" | "canvas", interpolation?: "smooth" | "nearest", fixedWindow?: boolean,
 *   fixedZoom?: boolean}} Options
 */

import { createCanvasRenderer } from "./canvas.js";
import { listenToPointer } from "./pointer.js";
import { clampPan, clampZoom, fitZoom, oneToOne, panBy, place, toCanvas, toImage, zoomAbout } from "./viewport.js";
import { createWebGLRenderer } from "./webgl.js";
import { clampWindow, dragWindow, ramp } from "./window.js";

/** @param {HTMLElement} element an empty, positioned box @param {Options} options */
export function createViewer(element, options = {}) {
  return new Viewer(element, options);
}

class Viewer {
  #element;
  #options;
  #renderer;
  #canvas;
  /** @type {Map<string, Frame>} */
  #frames = new Map();
  /** @type {Frame | null} */
  #frame = null;
  /** @type {Window} */
  #window = { center: 0, width: 1 };
  #view = { zoom: 1, pan: /** @type {[number, number]} */ ([0, 0]) };
  #fitted = true;
  #inverted = false;
  #size = { width: 0, height: 0 };
  #density = 1;
  #drawing = 0;
  #dragFrom = { center: 0, width: 1 };
  #cursor = { x: 0, y: 0 };
  /** @type {Map<string, Set<(detail: any) => void>>} */
  #handlers = new Map();
  #ended = new AbortController();
  #observer;

  constructor(element, options) {
    this.#element = element;
    this.#options = options;
    this.#start(options.renderer ?? "auto");
    this.#observer = new ResizeObserver(([entry]) => this.#resize(entry.devicePixelContentBoxSize?.[0]));
    try {
      this.#observer.observe(element, { box: "device-pixel-content-box" });
    } catch {
      this.#observer.observe(element);
    }
    this.#resize();
    listenToPointer(element, this.#pointerActions(), this.#ended.signal);
  }

  /** Keeps a frame ready. @param {ArrayBuffer | Uint8Array} bytes little-endian uint16, row by row @param {Meta} meta */
  load(bytes, meta) {
    const expected = meta.rows * meta.columns * 2;
    if (bytes.byteLength !== expected) {
      throw new RangeError(`The image has ${bytes.byteLength} bytes instead of ${expected}; load it again.`);
    }
    const buffer = bytes instanceof ArrayBuffer ? bytes : bytes.slice().buffer;
    this.#frames.set(meta.key, { ...meta, pixels: new Uint16Array(buffer) });
  }

  /** Does the work of the next `load` and `show` now, while nobody waits. @param {ArrayBuffer} bytes @param {Meta} meta */
  prepare(bytes, meta) {
    if (!this.#size.width || !this.#renderer.prepare || bytes.byteLength !== meta.rows * meta.columns * 2) return;
    const frame = { ...meta, pixels: new Uint16Array(bytes) };
    const placement = place({ zoom: fitZoom(frame, this.#size), pan: [0, 0] }, frame, this.#size);
    this.#renderer.prepare(frame, placement, ramp(meta.window, frame, Boolean(meta.inverted)), this.#options.interpolation !== "nearest");
  }

  /** Forgets a frame. @param {string} key */
  unload(key) {
    if (this.#frame?.key !== key) this.#frames.delete(key);
  }

  /** Draws a loaded frame at once. `keep` leaves window and view as they are (frames of one stack).
   * @param {string} key @param {{keep?: boolean}} how */
  show(key, { keep = false } = {}) {
    const frame = this.#frames.get(key);
    if (!frame) throw new Error("The image is not loaded yet; wait for it before showing it.");
    this.#frame = frame;
    if (keep) this.#draw();
    else this.reset();
    const time = performance.now();
    requestAnimationFrame(() => this.#emit("painted", { key, time }));
  }

  /** Black, until the next `show`. */
  blank() {
    this.#frame = null;
    this.#renderer.clear();
  }

  /** The frame's own window and polarity, the whole image in view. */
  reset() {
    if (!this.#frame) return;
    this.#window = { ...this.#frame.window };
    this.#inverted = Boolean(this.#frame.inverted);
    this.#view.pan = [0, 0];
    this.#fitted = true;
    this.#refit();
    this.#draw();
    this.#emit("change", this.state());
  }

  /** @param {number} center @param {number} width in physical values */
  setWindow(center, width) {
    if (!this.#frame || this.#options.fixedWindow) return;
    this.#window = clampWindow({ center, width }, this.#frame.slope);
    this.#changed();
  }

  invert() {
    if (!this.#frame || this.#options.fixedWindow) return;
    this.#inverted = !this.#inverted;
    this.#changed();
  }

  /** @param {{zoom?: number, pan?: [number, number]}} view zoom in device pixels per image pixel, pan in image pixels */
  view({ zoom = this.#view.zoom, pan = this.#view.pan }) {
    if (!this.#frame || this.#options.fixedZoom) return;
    this.#fitted = false;
    this.#view = { zoom: clampZoom(zoom, this.#frame, this.#size), pan: clampPan([pan[0], pan[1]], this.#frame) };
    this.#changed();
  }

  /** Takes over window, polarity and view of another pane. @param {ReturnType<Viewer["state"]>} state */
  follow(state) {
    if (!this.#frame) return;
    this.#window = { center: state.center, width: state.width };
    this.#inverted = state.invert;
    this.#fitted = state.fitted;
    this.#view = { zoom: state.zoom, pan: [...state.pan] };
    this.#refit();
    this.#schedule();
    this.#emit("change", this.state());
  }

  fit() {
    if (!this.#frame || this.#options.fixedZoom) return;
    this.#fitted = true;
    this.#view.pan = [0, 0];
    this.#refit();
    this.#changed();
  }

  oneToOne() {
    if (!this.#frame || this.#options.fixedZoom) return;
    this.#fitted = false;
    this.#view = oneToOne(this.#view, this.#frame, this.#size);
    this.#changed();
  }

  /** Zooms with the point under the cursor, or (x, y) in CSS pixels of the pane, held still. @param {number} factor */
  zoomBy(factor, x = this.#cursor.x, y = this.#cursor.y) {
    if (!this.#frame || this.#options.fixedZoom) return;
    this.#fitted = false;
    this.#view = zoomAbout(this.#view, this.#frame, this.#size, x * this.#density, y * this.#density, factor);
    this.#changed();
  }

  /** @param {number} dx @param {number} dy CSS pixels */
  panBy(dx, dy) {
    if (!this.#frame || this.#options.fixedZoom) return;
    this.#fitted = false;
    this.#view = panBy(this.#view, this.#frame, dx * this.#density, dy * this.#density);
    this.#changed();
  }

  /** Image coordinates under a point of the pane in CSS pixels, or null where no image is shown. @param {number} x @param {number} y */
  pick(x, y) {
    if (!this.#frame) return null;
    const at = toImage(place(this.#view, this.#frame, this.#size), x * this.#density, y * this.#density);
    const [column, row] = [Math.floor(at.x), Math.floor(at.y)];
    const inside = column >= 0 && row >= 0 && column < this.#frame.columns && row < this.#frame.rows;
    return { x: at.x, y: at.y, column, row, inside };
  }

  /** Where image coordinates lie on the pane, in CSS pixels; null where no image is shown. @param {number} x @param {number} y */
  locate(x, y) {
    if (!this.#frame) return null;
    const at = toCanvas(place(this.#view, this.#frame, this.#size), x, y);
    return { x: at.x / this.#density, y: at.y / this.#density };
  }

  /** The frame that is shown. @returns {Frame | null} */
  get frame() {
    return this.#frame;
  }

  /** Mean and standard deviation (of the population), in physical values, of the pixels whose centres lie in the rectangle
   * with these corners, or in its ellipse; null where there are none.
   * @param {[number, number][]} corners image coordinates @param {boolean} ellipse */
  region(corners, ellipse) {
    if (!this.#frame) return null;
    const { pixels, rows, columns, slope, intercept } = this.#frame;
    const [[left, right], [top, bottom]] = [0, 1].map((axis) => corners.map((corner) => corner[axis]).sort((a, b) => a - b));
    const off = (at, low, high) => ((2 * at - low - high) / (high - low)) ** 2;
    const values = [];
    for (let row = Math.max(0, Math.ceil(top - 0.5)); row + 0.5 <= bottom && row < rows; row++) {
      for (let column = Math.max(0, Math.ceil(left - 0.5)); column + 0.5 <= right && column < columns; column++) {
        if (ellipse && off(column + 0.5, left, right) + off(row + 0.5, top, bottom) > 1) continue;
        values.push(intercept + slope * pixels[row * columns + column]);
      }
    }
    if (!values.length) return null;
    const average = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
    const mean = average(values);
    return { mean, sd: Math.sqrt(average(values.map((value) => (value - mean) ** 2))) };
  }

  /** What is shown and how. */
  state() {
    return {
      key: this.#frame?.key ?? null,
      center: this.#window.center,
      width: this.#window.width,
      invert: this.#inverted,
      zoom: this.#view.zoom,
      pan: /** @type {[number, number]} */ ([this.#view.pan[0], this.#view.pan[1]]),
      fitted: this.#fitted,
      size: { ...this.#size },
      renderer: this.#renderer.kind,
    };
  }

  /** Draws and reads the canvas back: RGBA, top row first. */
  pixels() {
    this.#draw();
    return this.#renderer.pixels();
  }

  /** @param {"painted" | "change" | "user" | "scroll" | "renderer"} event @param {(detail: any) => void} handler
   * @returns {() => void} stops listening */
  on(event, handler) {
    const handlers = this.#handlers.get(event) ?? new Set();
    this.#handlers.set(event, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  destroy() {
    this.#ended.abort();
    this.#observer.disconnect();
    cancelAnimationFrame(this.#drawing);
    this.#renderer.destroy();
    this.#canvas.remove();
    this.#frames.clear();
    this.#frame = null;
  }

  #start(wanted) {
    this.#canvas?.remove();
    this.#canvas = document.createElement("canvas");
    this.#renderer = wanted === "canvas" ? null : this.#tryWebGL(wanted === "auto");
    if (!this.#renderer && wanted === "webgl") throw new Error("This browser has no WebGL2; choose the canvas renderer.");
    this.#renderer ??= createCanvasRenderer(this.#canvas);
    this.#canvas.width = this.#size.width || 1;
    this.#canvas.height = this.#size.height || 1;
    this.#element.append(this.#canvas);
    this.#emit("renderer", this.#renderer.kind);
  }

  #tryWebGL(hardwareOnly) {
    try {
      const renderer = createWebGLRenderer(this.#canvas, hardwareOnly);
      // A canvas that has a WebGL context, even a refused one, never gets a 2D context.
      if (!renderer) this.#canvas = document.createElement("canvas");
      // A lost context (driver reset, too many tabs) must not cost the reader the image.
      if (renderer) this.#canvas.addEventListener("webglcontextlost", () => this.#fallBack(), { signal: this.#ended.signal });
      return renderer;
    } catch {
      this.#canvas = document.createElement("canvas");
      return null;
    }
  }

  #fallBack() {
    this.#start("canvas");
    this.#draw();
  }

  #resize(device) {
    const box = this.#element.getBoundingClientRect();
    // The exact count of device pixels where the browser gives one that can be true (emulated screens give another).
    const exact = (given, length) => (given && Math.abs(given - length * devicePixelRatio) < 2 ? given : Math.round(length * devicePixelRatio));
    const width = exact(device?.inlineSize, box.width);
    const height = exact(device?.blockSize, box.height);
    if (!width || !height) return;
    this.#density = box.width ? width / box.width : devicePixelRatio;
    if (width === this.#canvas.width && height === this.#canvas.height && this.#size.width === width && this.#size.height === height) return;
    this.#size = { width, height };
    this.#canvas.width = width;
    this.#canvas.height = height;
    this.#renderer.resized();
    this.#cursor = { x: box.width / 2, y: box.height / 2 };
    this.#refit();
    this.#draw();
    this.#emit("change", this.state());
  }

  #refit() {
    if (this.#fitted && this.#frame) this.#view.zoom = fitZoom(this.#frame, this.#size);
  }

  #draw() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    if (!this.#frame) {
      this.#renderer.clear();
      return;
    }
    const placement = place(this.#view, this.#frame, this.#size);
    const straightLine = ramp(this.#window, this.#frame, this.#inverted);
    try {
      this.#renderer.draw(this.#frame, placement, straightLine, this.#options.interpolation !== "nearest");
    } catch (error) {
      if (this.#renderer.kind === "canvas") throw error;
      this.#fallBack();
    }
  }

  #schedule() {
    if (!this.#drawing) this.#drawing = requestAnimationFrame(() => this.#draw());
  }

  #changed() {
    this.#schedule();
    this.#emit("change", this.state());
    this.#emit("user", this.state());
  }

  #emit(event, detail) {
    for (const handler of this.#handlers.get(event) ?? []) handler(detail);
  }

  #pointerActions() {
    return {
      dragStart: () => {
        this.#dragFrom = { ...this.#window };
      },
      window: (dx, dy) => {
        if (!this.#frame) return;
        const { center, width } = dragWindow(this.#dragFrom, this.#frame.window, dx, dy);
        this.setWindow(center, width);
      },
      pan: (dx, dy) => this.panBy(dx, dy),
      zoom: (x, y, factor) => this.zoomBy(factor, x, y),
      scroll: (steps) => this.#emit("scroll", steps),
      fit: () => this.fit(),
      scrolls: () => this.#frames.size > 1 && (this.#handlers.get("scroll")?.size ?? 0) > 0,
      hover: (x, y) => {
        this.#cursor = { x, y };
      },
    };
  }
}
