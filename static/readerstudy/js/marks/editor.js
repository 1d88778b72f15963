/**
 * What the reader commands the marks with: keys, and a part of the panel with the tools, the label of the next mark, the
 * fields of the selected one and a spoken line.
 */

import { find } from "../reading/status.js";
import { text } from "../reading/texts.js";

/** @typedef {import("./history.js").Mark} Mark */

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ENTER = /^(Enter| )$/;
const FAST = 10;

/** @typedef {{act?: string, shape?: string, by?: [number, number], values?: Partial<Mark>}} Action */

/** What a key press means for the marks; every other key is the room's. @param {KeyboardEvent} event
 * @param {any} tool whether one is in the hand @param {any} mark whether one has the focus @returns {Action} */
export function actionOf({ key, code, ctrlKey, metaKey, altKey, shiftKey }, tool, mark) {
  // By what is printed on the key, or by its place where the layout has no Latin letters.
  const letter = (/^[a-z]$/i.test(key) ? key : code.replace("Key", "")).toUpperCase();
  if (ctrlKey || metaKey) return { act: { Y: "redo", Z: shiftKey ? "redo" : "undo" }[letter] };
  const by = DIRECTIONS[key]?.map((step) => step * (shiftKey ? FAST : 1));
  if (by) return { act: tool ? "aim" : mark && (altKey ? "resize" : "move"), by };
  if (altKey || shiftKey) return {};
  if (key === "Escape") return { act: "leave" };
  if (ENTER.test(key)) return { act: tool ? "set" : mark && "open" };
  if (mark && !tool && /^(Delete|Backspace)$/.test(key)) return { act: "remove" };
  return document.querySelector(`[data-shape][aria-keyshortcuts="${letter}"]`)?.dataset ?? {};
}

/** Whether a key belongs to a control or a dialog. @param {KeyboardEvent} event */
export function ownKey({ key, target }) {
  if (document.querySelector("dialog[open]")) return true;
  // Escape leaves the fields of the marks; in other fields it is theirs.
  if (target.closest("input, select, textarea")) return key !== "Escape" || !target.matches("fieldset *");
  return ENTER.test(key) && target.closest("button, a, summary");
}

export class Editor {
  #tools = find("#marks");
  #box = find("#mark-editor");
  #fields = [...this.#box.querySelectorAll("[name]")];
  /** @type {Mark | undefined} */
  #mark;

  /** @param {{labels: string[], fidelity: boolean}} options @param {(action: Action) => void} act */
  constructor({ labels, fidelity }, act) {
    // The study's own words as they are; those of the fidelity pass in the reader's language.
    const words = { "lost structure": text("lost_structure"), "invented structure": text("invented_structure") };
    for (const select of [find("#mark-next"), this.#fields[0]]) {
      select.replaceChildren(...labels.map((label) => new Option(words[label] ?? label, label)));
    }
    find("#mark-fidelity").hidden = !fidelity;
    for (const button of document.querySelectorAll("[data-act]")) button.addEventListener("click", () => act(button.dataset));
    this.#box.addEventListener("change", ({ target: { name, value } }) => {
      act({ act: "edit", values: { [name]: name === "confidence" ? Number(value) : value } });
    });
  }

  get label() {
    return find("#mark-next").value;
  }

  /** @param {string} shape */
  nameOf(shape) {
    return find(`[data-shape=${shape}]`).title;
  }

  /** @param {string} label as it is stored */
  wordOf(label) {
    return [...this.#fields[0].options].find(({ value }) => value === label)?.text ?? label;
  }

  /** @param {string} sentence */
  say(sentence) {
    find("#mark-status").textContent = sentence;
  }

  focus() {
    this.#fields[0].focus();
  }

  /** Fields are filled only when the mark is another or has changed, so that nothing typed is lost.
   * @param {boolean} enabled @param {string | null} tool @param {Partial<import("./overlay.js").Entry>} entry the selected */
  show(enabled, tool, { mark, name = "", words = "" }) {
    this.#tools.disabled = this.#box.disabled = !enabled;
    for (const button of document.querySelectorAll("[data-shape]")) button.ariaPressed = button.dataset.shape === tool;
    this.#box.hidden = !mark;
    find("#mark-title").textContent = name;
    find("#mark-words").textContent = words;
    if (mark && mark !== this.#mark) for (const field of this.#fields) field.value = mark[field.name];
    this.#mark = mark;
  }
}
