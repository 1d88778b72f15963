/**
 * Marks on the images of the stage: drawn, selected, moved and edited by mouse or keyboard.
 *
 * @typedef {import("./history.js").Mark} Mark
 * @typedef {import("./history.js").Point} Point
 * @typedef {import("./history.js").Handle} Handle
 * @typedef {import("../reading/session.js").Item} Item
 */

import { newKey } from "../reading/outbox.js";
import { text } from "../reading/texts.js";
import { actionOf, Editor, ownKey } from "./editor.js";
import { History, measure, moved } from "./history.js";
import { HANDLES, Overlay } from "./overlay.js";

const MOST_POINTS = 500;
/** Pixels of the screen: what a click may tremble, and the finest step of a freehand line. */
const TREMBLE = 3;
const FINEST = 0.5;

export class Board {
  #stage;
  #options;
  #editor;
  /** @type {History} */
  #history;
  /** @type {Overlay[]} */
  #overlays = [];
  /** @type {Item | null} */
  #item = null;
  #frame = 0;
  /** The last one in focus. */
  #pane = 0;
  #readOnly = false;
  /** @type {string | null} */
  #tool = null;
  /** A mark in the hand, new or old: as it was when the hand was at `from`, and as it is now that the hand is at `at`. The
   * last point of a shape being drawn is not set yet: it is the handle. @type {{was: Mark, mark: Mark, from: Point,
   * at: Point, handle?: Handle} | null} */
  #live = null;
  /** @type {string | null} */
  #selected = null;
  /** The keyboard's place on the image. @type {Point | null} */
  #cross = null;

  /** @param {import("../reading/stage.js").Stage} stage
   * @param {{labels: string[], fidelity: boolean, pixelStatistics: boolean, changed: (mark: Mark) => void}} options */
  constructor(stage, options) {
    this.#stage = stage;
    this.#options = options;
    this.#editor = new Editor(options, (action) => this.#act(action));
    document.addEventListener("keydown", (event) => this.#key(event), true);
    document.addEventListener("keyup", ({ key }) => key.startsWith("Arrow") && this.#letGo());
    this.clear();
  }

  /** A new presentation is on the screen. @param {Item} item @param {Mark[]} marks */
  start(item, marks) {
    const panes = document.querySelectorAll("#stage .pane");
    this.#overlays = this.#stage.viewers.map((viewer, pane) => {
      const before = this.#overlays[pane];
      return before?.viewer === viewer ? before : this.#cover(panes[pane], viewer, pane);
    });
    this.#history = new History(marks, this.#options.changed);
    this.#item = item;
    this.#pane = 0;
    this.frameShown(0);
  }

  /** Nothing is on the screen, or soon will be. */
  clear() {
    this.start(null, []);
  }

  /** @param {number} index of the frame that is displayed now */
  frameShown(index) {
    this.#frame = index;
    this.#putDown();
  }

  set readOnly(value) {
    this.#readOnly = value;
    this.#putDown();
  }

  /** A shape is on its way: the room must not move on. */
  get busy() {
    return this.#live !== null;
  }

  get marks() {
    return structuredClone(this.#history.marks());
  }

  /** A mark in words. @param {Mark} mark */
  nameOf({ shape, label }) {
    return `${this.#editor.nameOf(shape)}, ${this.#editor.wordOf(label)}`;
  }

  undo() {
    this.#step(0, text("mark_undone"));
  }

  redo() {
    this.#step(1, text("mark_redone"));
  }

  #step(forth, sentence) {
    if (this.#writable && !this.busy && this.#history.step(forth)) this.#tell(sentence);
  }

  get #writable() {
    return this.#item && !this.#readOnly;
  }

  get #chosen() {
    return this.#history.marks().find(({ id }) => id === this.#selected);
  }

  #cover(box, viewer, pane) {
    box.addEventListener("focusin", ({ target }) => {
      // The reference is there to be looked at.
      if (pane !== this.#item?.reference) this.#pane = pane;
      this.#selected = target.dataset.mark;
      this.#render();
    });
    box.addEventListener("focusout", () => this.#letGo());
    const overlay = new Overlay(box, viewer);
    this.#listen(overlay, pane);
    return overlay;
  }

  /** Takes left press, drag and click on the marks or with a tool; the rest goes on to the viewer below. */
  #listen(overlay, pane) {
    let press = null;
    let dragging = false;
    const on = (name, act) => overlay.svg.addEventListener(name, (event) => act(event, overlay.place(event)));
    on("pointerdown", (event, at) => {
      if (press || event.button || event.shiftKey || pane === this.#item?.reference) return;
      event.stopPropagation();
      overlay.svg.setPointerCapture(event.pointerId);
      press = at;
      if (!this.#tool) this.#grasp(event.target, at);
      else if (!this.#live) this.#begin(pane, at);
    });
    on("pointermove", (event, at) => {
      dragging ||= press && overlay.apart(press, at) > TREMBLE;
      this.#cross = null;
      if (this.#live && (this.#tool || dragging)) this.#carry(at);
      else this.#render();
      if (dragging && this.#tool === "freehand" && this.#reach > FINEST) this.#extend(this.#live.mark);
    });
    on("pointerup", (event, at) => {
      if (press && this.#tool && this.#live) this.#set(at, TREMBLE, dragging);
    });
    on("lostpointercapture", () => {
      press = dragging = null;
      this.#letGo();
    });
    on("dblclick", (event) => event.stopPropagation());
  }

  // The hand

  #arm(shape) {
    const again = this.#tool === shape;
    this.#putDown();
    if (again || !this.#writable) return;
    this.#tool = shape;
    // The next keys are for the image.
    (document.activeElement.closest(".pane") ?? this.#stage).focus();
    this.#aim([0, 0]);
    this.#tell(text("mark_tool", { shape: this.#editor.nameOf(shape) }));
  }

  #begin(pane, at) {
    const { fidelity } = this.#options;
    const points = moved([at], [0, 0], null, this.#item);
    const drawn = { id: newKey(), pane, frame: this.#frame, shape: this.#tool, points, label: this.#editor.label, comment: "" };
    this.#extend({ ...drawn, confidence: fidelity ? 3 : null, consequence: fidelity ? "none" : "", deleted: false, revision: 0 });
  }

  /** Sets the last point of what is drawn; the next one starts there. */
  #extend(mark) {
    const kept = mark.points.filter((_, index, { length }) => length < MOST_POINTS || index % 2 || !index);
    const at = kept.at(-1);
    if (this.#tool !== "point") kept.push(at);
    const last = kept.length - 1;
    this.#take({ ...mark, points: kept }, at, [last, last]);
  }

  #grasp(target, at) {
    const group = target.closest(".mark");
    this.#selected = group.dataset.mark;
    group.focus();
    this.#hold(at, target.dataset.handle);
  }

  #hold(at, handle) {
    const mark = this.#chosen;
    if (this.#writable) this.#take(mark, at, HANDLES[mark.shape]?.[handle]);
  }

  #take(was, at, handle) {
    this.#live = { was, mark: was, from: at, at, handle };
    this.#render();
  }

  #carry(at) {
    const { was, from, handle } = this.#live;
    const by = [at[0] - from[0], at[1] - from[1]];
    Object.assign(this.#live, { at, mark: { ...was, points: moved(was.points, by, handle, this.#item) } });
    this.#render();
  }

  /** How far the last point is from the one before, in pixels of the screen. */
  get #reach() {
    const { pane, points } = this.#live.mark;
    return this.#overlays[pane].apart(points.at(-2) ?? points[0], points.at(-1));
  }

  /** The last point is put where it is; a freehand line goes on until it is put twice at one place, or dragged. */
  #set(at, tolerance, dragged) {
    this.#carry(at);
    const near = this.#reach <= tolerance;
    if (this.#tool === "freehand" ? near || dragged : this.#tool === "point" || !near) this.#finish();
    else if (!near) this.#extend(this.#live.mark);
  }

  /** @returns {boolean} whether there was enough to keep */
  #finish() {
    const { mark } = this.#live ?? {};
    if (this.#tool === "freehand") {
      // The loose end is not part of the line.
      if (!(mark?.points.length > 2)) return false;
      mark.points.pop();
    }
    this.#putDown();
    this.#selected = mark.id;
    this.#history.commit(mark);
    this.#tell(text("mark_drawn", { shape: this.#editor.nameOf(mark.shape), label: this.#editor.wordOf(mark.label) }));
    if (this.#options.fidelity) this.#editor.focus();
    else this.#overlays[mark.pane].find(mark.id).focus();
    return true;
  }

  #letGo() {
    const live = this.#live;
    if (!live || this.#tool) return;
    this.#live = null;
    this.#edit(live.mark);
  }

  /** Whatever was begun is given up. */
  #putDown() {
    this.#tool = this.#live = this.#cross = null;
    this.#render();
  }

  #edit(values) {
    this.#history.commit({ ...this.#chosen, ...values });
    this.#render();
  }

  #remove() {
    const { shape } = this.#chosen;
    this.#edit({ deleted: true });
    this.#tell(text("mark_deleted", { shape: this.#editor.nameOf(shape) }));
  }

  // Keys

  #key(event) {
    if (!this.#item || ownKey(event)) return;
    const action = actionOf(event, this.#tool, this.#writable && event.target.closest(".mark"));
    if (!action.act || ((action.by || !event.repeat) && this.#act(action, event.target) === false)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #act({ act, shape, by, values }, target) {
    const acts = {
      arm: () => this.#arm(shape),
      leave: () => this.#leave(target),
      undo: () => this.undo(),
      redo: () => this.redo(),
      aim: () => this.#aim(by),
      set: () => this.#setByKey(),
      move: () => this.#nudge(by),
      resize: () => this.#nudge(by, 1),
      open: () => this.#editor.focus(),
      edit: () => this.#edit(values),
      remove: () => this.#remove(),
    };
    return acts[act]();
  }

  #aim(by) {
    const overlay = this.#overlays[this.#pane];
    [this.#cross] = moved([this.#cross ?? overlay.middle], by, null, this.#item);
    overlay.reveal(this.#cross);
    if (this.#live) this.#carry(this.#cross);
    else this.#render();
  }

  #setByKey() {
    this.#aim([0, 0]);
    if (!this.#live) this.#begin(this.#pane, this.#cross);
    else this.#set(this.#cross, 0);
    if (this.#tool === "point") this.#finish();
    if (this.#live) this.#tell(text("mark_point", { n: this.#live.mark.points.length - 1 }));
  }

  #nudge(by, handle) {
    if (!this.#live) this.#hold([0, 0], handle);
    const { at } = this.#live;
    this.#carry([at[0] + by[0], at[1] + by[1]]);
  }

  /** @returns {false | void} false: there was nothing to leave */
  #leave(target) {
    if (this.#tool === "freehand" && this.#finish()) return;
    if (this.#tool || this.#live) return this.#putDown();
    const mark = this.#chosen;
    if (!mark) return target.closest("#marks") ? this.#stage.focus() : false;
    const overlay = this.#overlays[mark.pane];
    if (target.closest("#mark-editor")) overlay.find(mark.id).focus();
    else overlay.pane.focus();
  }

  // Showing

  #tell(sentence) {
    this.#editor.say(sentence);
    this.#render();
  }

  #render() {
    const marks = this.#history.marks(this.#live?.mark);
    const entries = marks.map((mark, index) => ({
      mark,
      name: text("mark_name", { name: this.nameOf(mark), n: index + 1, of: marks.length }),
      selected: mark.id === this.#selected,
    }));
    const visible = entries.filter(({ mark }) => mark.frame === this.#frame);
    this.#overlays.forEach((overlay, pane) => {
      const own = visible.filter(({ mark }) => mark.pane === pane);
      for (const entry of own) entry.words = measure(entry.mark, this.#item, overlay.viewer, this.#options.pixelStatistics);
      overlay.show(own, this.#pane === pane ? this.#cross : null);
    });
    const chosen = visible.find(({ selected }) => selected);
    this.#editor.show(this.#writable, this.#tool, chosen ?? {});
    // A mark that is gone must not take the focus with it.
    if (chosen || !this.#selected) return;
    this.#selected = null;
    if (!document.activeElement.matches(".pane")) this.#stage.focus();
  }
}
