/**
 * Cornerstone3D behind the interface of our viewer: load, show, window, view, pick. The baseline of bench/room.
 *
 * One rendering engine serves all panes of a page, as Cornerstone3D is meant to be used. Image coordinates are ours: pixel
 * (c, r) covers [c, c+1) x [r, r+1). Windows are converted to stored values, since its shaders know no slope and intercept.
 */

import { Enums } from "@cornerstonejs/core";
import { blacken, disable, enable, resize } from "./engine.js";
import { forget, keep } from "./loader.js";

const { Events, InterpolationType } = Enums;
/** @param {HTMLElement} element @param {{renderer?: string, interpolation?: string}} options */
export function createViewer(element, options = {}) {
  return new Viewer(element, options);
}

class Viewer {
  #element;
  #options;
  /** @type {Map<string, any>} */
  #metas = new Map();
  #meta = null;
  #port;
  #quiet = false;
  #fitted = true;
  #awaited = null;
  #handlers = new Map();
  #ended = new AbortController();
  #observer;

  constructor(element, options) {
    this.#element = element;
    this.#options = options;
    this.#port = enable(element, options.renderer === "canvas");
    const listen = (event, handler) => element.addEventListener(event, handler, { signal: this.#ended.signal });
    listen(Events.IMAGE_RENDERED, () => this.#painted());
    for (const event of [Events.VOI_MODIFIED, Events.CAMERA_MODIFIED]) listen(event, () => this.#quiet || this.#changed());
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(element);
  }

  load(bytes, meta) {
    const expected = meta.rows * meta.columns * 2;
    if (bytes.byteLength !== expected) throw new RangeError(`The image has ${bytes.byteLength} bytes instead of ${expected}.`);
    const buffer = bytes instanceof ArrayBuffer ? bytes : bytes.slice().buffer;
    this.#metas.set(meta.key, meta);
    keep(this.#imageId(meta.key), new Uint16Array(buffer), meta);
  }

  unload(key) {
    if (this.#meta?.key !== key && this.#metas.delete(key)) forget(this.#imageId(key));
  }

  /** Cornerstone3D shows an image some promises later: wait for "painted" before anything else. */
  show(key, how = {}) {
    const meta = this.#metas.get(key);
    if (!meta) throw new Error("The image is not loaded yet; wait for it before showing it.");
    const before = how.keep && this.#meta ? this.state() : null;
    const id = this.#imageId(key);
    this.#meta = meta;
    this.#quiet = true;
    const at = this.#port.getImageIds().indexOf(id);
    const stack = [...this.#metas.keys()].map((each) => this.#imageId(each));
    const shown = at < 0 ? this.#port.setStack(stack, stack.indexOf(id)) : this.#port.setImageIdIndex(at);
    shown.then(() => {
      if (this.#meta !== meta) return;
      if (before) this.#apply(before);
      else this.reset();
      this.#quiet = false;
      this.#awaited = key;
    });
  }

  blank() {
    this.#meta = null;
    blacken(this.#port);
  }

  reset() {
    if (!this.#meta) return;
    const { window, inverted } = this.#meta;
    this.#apply({ ...window, invert: Boolean(inverted), zoom: this.#fitZoom(), pan: [0, 0] });
    this.#fitted = true;
    this.#emit("change");
  }

  setWindow(center, width) {
    if (!this.#meta || this.#options.fixedWindow) return;
    this.#silently(() => this.#port.setProperties({ voiRange: this.#range(center, width) }));
    this.#changed();
  }

  invert() {
    if (!this.#meta || this.#options.fixedWindow) return;
    this.#silently(() => this.#port.setProperties({ invert: !this.#port.getProperties().invert }));
    this.#changed();
  }

  view({ zoom, pan }) {
    if (!this.#meta || this.#options.fixedZoom) return;
    const now = this.state();
    this.#fitted = false;
    this.#silently(() => this.#place(zoom ?? now.zoom, pan ?? now.pan));
    this.#changed();
  }

  follow(state) {
    if (!this.#meta) return;
    this.#apply(state);
    this.#fitted = state.fitted;
    this.#emit("change");
  }

  fit() {
    this.view({ zoom: this.#fitZoom(), pan: [0, 0] });
    this.#fitted = true;
  }

  zoomBy(factor, x = this.#element.clientWidth / 2, y = this.#element.clientHeight / 2) {
    if (!this.#meta || this.#options.fixedZoom) return;
    const { zoom, pan } = this.state();
    const held = this.pick(x, y);
    this.#silently(() => this.#place(zoom * factor, pan));
    const moved = this.pick(x, y);
    this.view({ zoom: zoom * factor, pan: [pan[0] + held.x - moved.x, pan[1] + held.y - moved.y] });
  }

  panBy(dx, dy) {
    if (!this.#meta || this.#options.fixedZoom) return;
    const { zoom, pan } = this.state();
    const [from, to] = [this.pick(0, 0), this.pick(dx, dy)];
    this.view({ zoom, pan: [pan[0] - to.x + from.x, pan[1] - to.y + from.y] });
  }

  pick(x, y) {
    if (!this.#meta) return null;
    const [worldX, worldY] = this.#port.canvasToWorld([x, y]);
    const { rows, columns } = this.#meta;
    const [down, across] = this.#spacing();
    const at = { x: worldX / across + this.#half(), y: worldY / down + this.#half() };
    const [column, row] = [Math.floor(at.x), Math.floor(at.y)];
    return { ...at, column, row, inside: column >= 0 && row >= 0 && column < columns && row < rows };
  }

  locate(x, y) {
    if (!this.#meta) return null;
    const [left, top] = this.#port.worldToCanvas(this.#world(x, y));
    return { x: left, y: top };
  }

  state() {
    const { width, height } = this.#port.canvas;
    const shown = this.#meta ? this.#shown() : { key: null, center: 0, width: 1, invert: false, zoom: 1, pan: [0, 0] };
    const renderer = this.#port.useCPURendering ? "canvas" : "webgl";
    return { ...shown, fitted: this.#fitted, size: { width, height }, renderer };
  }

  /** What the pane shows now, RGBA, top row first; a change is visible after the next frame only. */
  pixels() {
    const { canvas } = this.#port;
    return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  }

  on(event, handler) {
    const handlers = this.#handlers.get(event) ?? new Set();
    this.#handlers.set(event, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  destroy() {
    this.#ended.abort();
    this.#observer.disconnect();
    this.#meta = null;
    for (const key of [...this.#metas.keys()]) this.unload(key);
    disable(this.#port);
    this.#element.replaceChildren();
  }

  #imageId(key) {
    return `frame:${this.#port.id}/${key}`;
  }

  #spacing() {
    return this.#meta.spacing ?? [1, 1];
  }

  /** World coordinates count from the centre of the first pixel with WebGL, from its corner on the processor. */
  #half() {
    return this.#port.useCPURendering ? 0 : 0.5;
  }

  #world(x, y) {
    const [down, across] = this.#spacing();
    return [(x - this.#half()) * across, (y - this.#half()) * down, 0];
  }

  #fitZoom() {
    const { rows, columns } = this.#meta;
    const [down, across] = this.#spacing();
    const finer = Math.min(down, across);
    const { width, height } = this.#port.canvas;
    return Math.min((width * finer) / (columns * across), (height * finer) / (rows * down));
  }

  #range(center, width) {
    const { slope, intercept } = this.#meta;
    return { lower: (center - width / 2 - intercept) / slope, upper: (center + width / 2 - intercept) / slope };
  }

  #shown() {
    const { key, slope, intercept, rows, columns } = this.#meta;
    const { voiRange, invert } = this.#port.getProperties();
    const { lower, upper } = voiRange ?? { lower: 0, upper: 1 };
    const { width, height } = this.#port.canvas;
    const density = devicePixelRatio;
    const middle = this.pick(width / 2 / density, height / 2 / density);
    const [, across] = this.#spacing();
    const step = (this.locate(columns, 0).x - this.locate(0, 0).x) / columns;
    const zoom = (step * density * Math.min(...this.#spacing())) / across;
    const pan = [middle.x - columns / 2, middle.y - rows / 2];
    return { key, center: ((lower + upper) / 2) * slope + intercept, width: (upper - lower) * slope, invert, zoom, pan };
  }

  #apply({ center, width, invert, zoom, pan }) {
    const nearest = this.#options.interpolation === "nearest";
    const interpolationType = nearest ? InterpolationType.NEAREST : InterpolationType.LINEAR;
    this.#silently(() => {
      this.#port.setProperties({ voiRange: this.#range(center, width), invert, interpolationType });
      this.#place(zoom, pan);
    });
  }

  #place(zoom, pan) {
    const { rows, columns } = this.#meta;
    const focalPoint = this.#world(columns / 2 + pan[0], rows / 2 + pan[1]);
    const finer = Math.min(...this.#spacing());
    if (this.#port.useCPURendering) {
      this.#port.setCamera({ focalPoint, scale: zoom });
      return;
    }
    const { position } = this.#port.getCamera();
    const parallelScale = (this.#port.canvas.height * finer) / (2 * zoom);
    this.#port.setCamera({ focalPoint, position: [focalPoint[0], focalPoint[1], position[2]], parallelScale });
  }

  #silently(work) {
    const before = this.#quiet;
    this.#quiet = true;
    work();
    this.#quiet = before;
    this.#port.render();
  }

  #resize() {
    if (this.#ended.signal.aborted) return;
    this.#silently(() => {
      resize();
      if (this.#meta && this.#fitted && this.#awaited === null) this.#place(this.#fitZoom(), [0, 0]);
    });
  }

  #painted() {
    if (!this.#meta) this.blank();
    if (this.#awaited === null) return;
    this.#emit("painted", { key: this.#awaited, time: performance.now() });
    this.#awaited = null;
  }

  #changed() {
    if (!this.#meta) return;
    for (const event of ["change", "user"]) this.#emit(event);
  }

  /** Reading the state back costs Cornerstone3D matrix inversions, which count only where somebody listens. */
  #emit(event, detail = null) {
    for (const handler of this.#handlers.get(event) ?? []) handler(detail ?? this.state());
  }
}
