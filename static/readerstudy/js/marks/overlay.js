/**
 * The marks of one pane as SVG above its canvas, in CSS pixels of the pane, so that lines and handles keep their size.
 *
 * @typedef {import("./history.js").Mark} Mark
 * @typedef {import("./history.js").Point} Point
 * @typedef {import("./history.js").Handle} Handle
 * @typedef {{mark: Mark, name: string, words: string, selected: boolean}} Entry
 */

import { find } from "../reading/status.js";

const ENDS = [[0, 0], [1, 1]];
const CORNERS = [...ENDS, [0, 1], [1, 0]];

/** By shape; what is not listed has none. @type {Record<string, Handle[]>} */
export const HANDLES = { arrow: ENDS, line: ENDS, rectangle: CORNERS, ellipse: CORNERS };

const through = (points) => `M${points.join("L")}`;

/** SVG paths through points in CSS pixels. @type {Record<string, (points: Point[]) => string>} */
const PATHS = {
  point: ([[x, y]]) => `M${x - 8} ${y}h6m4 0h6M${x} ${y - 8}v6m0 4v6`,
  arrow: through,
  line: through,
  rectangle: ([a, b]) => `M${a}H${b[0]}V${b[1]}H${a[0]}Z`,
  ellipse: ([a, b]) => {
    const [x, y] = [0, 1].map((axis) => (b[axis] - a[axis]) / 2);
    const arc = (across) => `a${x} ${y} 0 1 0 ${across} 0`;
    return `M${a[0]} ${a[1] + y}${arc(2 * x)}${arc(-2 * x)}Z`;
  },
  freehand: through,
};

/** From the page's template: a line has a dark rim, and room for the hand around it. */
const part = (selector) => find("#mark-parts").content.querySelector(selector).cloneNode(true);

function set(node, attributes) {
  for (const name in attributes) node.setAttribute(name, attributes[name]);
}

function trace(group, path) {
  for (const layer of group.querySelectorAll("path")) set(layer, { d: path });
}

export class Overlay {
  #draw = () => {};

  /** @param {HTMLElement} pane @param {any} viewer */
  constructor(pane, viewer) {
    this.pane = pane;
    this.viewer = viewer;
    this.svg = part(".marks");
    pane.append(this.svg);
    // What lies in a picture is hidden from screen readers, and the marks must not be.
    pane.setAttribute("role", "group");
    viewer.on("change", () => this.#draw());
  }

  /** An image must be on the screen, or nothing to be shown. @param {Entry[]} entries
   * @param {Point | null} cross where the keyboard's cross is */
  show(entries, cross) {
    for (const group of this.svg.querySelectorAll(".mark")) {
      if (!entries.some(({ mark }) => mark.id === group.dataset.mark)) group.remove();
    }
    this.#draw = () => {
      for (const entry of entries) this.#drawMark(entry);
      trace(this.svg.firstElementChild, cross ? PATHS.point([this.#locate(cross)]) : "");
    };
    this.#draw();
  }

  /** @param {string} id @returns {SVGElement | null} */
  find(id) {
    return this.svg.querySelector(`[data-mark="${id}"]`);
  }

  /** @param {{clientX: number, clientY: number}} event @returns {Point} */
  place({ clientX, clientY }) {
    const { left, top } = this.pane.getBoundingClientRect();
    const { x, y } = this.viewer.pick(clientX - left, clientY - top);
    return [x, y];
  }

  /** The middle of the pixel in the middle of the view. @returns {Point} */
  get middle() {
    const { column, row } = this.viewer.pick(this.pane.clientWidth / 2, this.pane.clientHeight / 2);
    return [column + 0.5, row + 0.5];
  }

  /** @param {Point} a @param {Point} b in device pixels, along the finer axis */
  apart(a, b) {
    return Math.hypot(a[0] - b[0], a[1] - b[1]) * this.viewer.state().zoom;
  }

  /** Moves the view so that a place is in it. @param {Point} point */
  reveal(point) {
    const at = this.#locate(point);
    const { clientWidth, clientHeight } = this.pane;
    const back = [clientWidth, clientHeight].map((extent, axis) => Math.max(-at[axis], Math.min(0, extent - at[axis])));
    if (back.some(Boolean)) this.viewer.panBy(...back);
  }

  #locate(point) {
    const { x, y } = this.viewer.locate(...point);
    return [x, y];
  }

  #drawMark({ mark: { id, shape, points }, name, words, selected }) {
    const group = this.find(id) ?? this.svg.appendChild(part(".mark"));
    const at = points.map((point) => this.#locate(point));
    set(group, { "data-mark": id, "data-form": shape, "aria-label": name, "aria-pressed": selected });
    trace(group, PATHS[shape](at));
    const [text, ...handles] = group.querySelectorAll("text, circle");
    const { x, y, width, height } = group.firstElementChild.getBBox();
    text.textContent = words;
    set(text, { x: x + width / 2, y: y + height + 16 });
    HANDLES[shape]?.forEach(([across, down], index) => set(handles[index], { cx: at[across][0], cy: at[down][1], r: 4 }));
  }
}
