/**
 * Marks as data: their steps back and forth, how they move, what they measure. Image coordinates, as in viewer/viewport.js.
 *
 * @typedef {[number, number]} Point
 * @typedef {"point" | "arrow" | "line" | "rectangle" | "ellipse" | "freehand"} Shape
 * @typedef {{id: string, pane: number, frame: number, shape: Shape, points: Point[], label: string, comment: string,
 *   confidence: number | null, consequence: string, deleted: boolean, revision: number}} Mark
 * @typedef {[number, number]} Handle  the points whose x and whose y it moves
 * @typedef {import("../reading/session.js").Item} Item
 */

import { text } from "../reading/texts.js";

/** The marks of one presentation. Each step back or forth is a new revision, so that nothing is taken back silently; a mark is
 * never changed in place. */
export class History {
  /** @type {Map<string, Mark>} */
  #marks;
  /** @type {[Mark, Mark][]} before and after */
  #steps = [];
  #at = 0;
  #changed;

  /** @param {Mark[]} marks @param {(mark: Mark) => void} changed */
  constructor(marks, changed) {
    this.#marks = new Map(structuredClone(marks).map((mark) => [mark.id, mark]));
    this.#changed = changed;
  }

  /** Those that are not deleted, oldest first. @param {Mark} [live] one that is being made or changed */
  marks(live) {
    const marks = new Map(this.#marks);
    if (live) marks.set(live.id, live);
    return [...marks.values()].filter((mark) => !mark.deleted);
  }

  /** @param {Mark} mark new or changed */
  commit(mark) {
    const before = this.#marks.get(mark.id) ?? { ...mark, deleted: true };
    if (JSON.stringify(before) === JSON.stringify(mark)) return;
    this.#steps.splice(this.#at, Infinity, [before, mark]);
    this.step(1);
  }

  /** @param {0 | 1} forth @returns {boolean} whether there was such a step */
  step(forth) {
    const state = this.#steps[this.#at - 1 + forth]?.[forth];
    if (!state) return false;
    this.#at += 2 * forth - 1;
    const mark = { ...state, revision: (this.#marks.get(state.id)?.revision ?? 0) + 1 };
    this.#marks.set(mark.id, mark);
    this.#changed(structuredClone(mark));
    return true;
  }
}

/** The points after a handle, or else the whole shape, was moved: not beyond the image, to a hundredth of a pixel.
 * @param {Point[]} points @param {Point} by @param {Handle | undefined} handle @param {Item} item */
export function moved(points, by, handle, { columns, rows }) {
  const held = (index, axis) => !handle || index === handle[axis];
  const step = by.map((far, axis) => {
    const along = points.map((point) => point[axis]).filter((_, index) => held(index, axis));
    return Math.max(-Math.min(...along), Math.min([columns, rows][axis] - Math.max(...along), far));
  });
  const round = (value) => Math.round(value * 100) / 100;
  return points.map((point, index) => point.map((value, axis) => round(held(index, axis) ? value + step[axis] : value)));
}

const DIGITS = 4;

/** The length of a line or an arrow, mean and SD inside a rectangle or an ellipse, in words.
 * @param {Mark} mark on the frame that is displayed @param {Item} item @param {any} viewer
 * @param {boolean} statistics mean and SD are allowed: they betray how an image was made */
export function measure({ shape, points }, { spacing }, viewer, statistics) {
  if (shape === "line" || shape === "arrow") {
    const [row, column] = spacing ?? [1, 1];
    const length = Math.hypot((points[1][0] - points[0][0]) * column, (points[1][1] - points[0][1]) * row).toFixed(1);
    return text("mark_length", { length, unit: spacing ? "mm" : "px" });
  }
  const round = shape === "ellipse";
  const found = statistics && (round || shape === "rectangle") && viewer.region(points, round);
  if (!found) return "";
  const [mean, sd] = [found.mean, found.sd].map((value) => Number(value.toPrecision(DIGITS)));
  return text("mark_statistics", { mean, sd });
}
