/**
 * The scoring panel: one row of buttons per criterion, which criterion the digits go to, what is chosen so far.
 *
 * @typedef {import("./session.js").Score} Score
 * @typedef {import("./session.js").Scores} Scores
 * @typedef {{key: string, title: string, question: string, texts: Record<string, string>}} Criterion
 */

import { text } from "./texts.js";

const VALUES = ["1", "2", "3", "4", "5"];
/** @type {Record<string, string>} what is printed on the key of each choice */
const CHOICES = { left: "←", equal: "↓", right: "→" };

/** @param {string} tag @param {Record<string, string>} attributes @param {(Node | string)[]} children */
function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** @param {Score | undefined} score @returns {string} */
export function scoreText(score) {
  if (!score) return "–";
  if ("cannot_judge" in score) return `${text("cannot_judge")} (${score.cannot_judge})`;
  const words = { left: text("choice_left"), equal: text("choice_equal"), right: text("choice_right") };
  return "value" in score ? String(score.value) : words[score.choice];
}

/** The button's word for a score. @param {Score | undefined} score */
const chosen = (score) => (score && "value" in score ? String(score.value) : score && "choice" in score ? score.choice : "");

export class Panel {
  /** @type {Scores} */
  #scores = {};
  #focused = 0;
  #criteria;
  #fieldsets;
  #comment;

  /**
   * @param {HTMLElement} root @param {HTMLTextAreaElement} comment @param {Criterion[]} criteria
   * @param {(score: Score, criterion: string, byPointer: boolean) => void} scored
   */
  constructor(root, comment, criteria, scored) {
    this.#criteria = criteria;
    this.#comment = comment;
    root.classList.toggle("criteria--many", criteria.length > 1);
    this.#fieldsets = criteria.map((criterion, index) => this.#build(criterion, index, scored));
    root.replaceChildren(...this.#fieldsets);
  }

  /** Starts an image with the scores it already has. @param {Scores} scores @param {string} comment */
  start(scores, comment) {
    this.#scores = { ...scores };
    this.#comment.value = comment;
    this.#focused = Math.max(0, this.#criteria.findIndex(({ key }) => !(key in this.#scores)));
    this.#render();
  }

  /** @param {Score} score @param {string} [key] the criterion; the one in focus if left out */
  choose(score, key = this.#criteria[this.#focused].key) {
    this.#scores[key] = score;
    const index = this.#criteria.findIndex((criterion) => criterion.key === key);
    const missing = this.#criteria.findIndex((criterion) => !(criterion.key in this.#scores));
    this.#focused = missing >= 0 ? missing : Math.min(index + 1, this.#criteria.length - 1);
    this.#render();
  }

  get scores() {
    return { ...this.#scores };
  }

  get comment() {
    return this.#comment.value.trim();
  }

  get complete() {
    return this.#criteria.every(({ key }) => key in this.#scores);
  }

  get single() {
    return this.#criteria.length === 1;
  }

  /** @param {boolean} enabled */
  enable(enabled) {
    for (const fieldset of this.#fieldsets) fieldset.toggleAttribute("data-resting", !enabled);
  }

  #build(criterion, index, scored) {
    const many = this.#criteria.length > 1;
    const pairwise = "equal" in criterion.texts;
    const buttons = (pairwise ? Object.keys(CHOICES) : VALUES).map((value) => {
      const words = element("span", many ? { class: "visually-hidden" } : {}, criterion.texts[value] ?? "");
      const attributes = { type: "button", class: "score", "data-value": value, "aria-pressed": "false" };
      const button = element("button", attributes, element("kbd", {}, CHOICES[value] ?? value), words);
      const score = /** @type {Score} */ (pairwise ? { choice: value } : { value: Number(value) });
      button.addEventListener("click", (event) => scored(score, criterion.key, event.detail > 0));
      return button;
    });
    const legend = element("legend", {}, criterion.title);
    const parts = [legend, element("p", {}, criterion.question), element("div", { class: "scores" }, ...buttons)];
    if (many) {
      const end = (value) => element("span", {}, `${CHOICES[value] ?? value} ${criterion.texts[value] ?? ""}`);
      const [first, last] = pairwise ? ["left", "right"] : ["1", "5"];
      parts.push(element("p", { class: "ends", "aria-hidden": "true" }, end(first), end(last)));
    }
    parts.push(element("p", { class: "cannot-judge", hidden: "" }));
    const fieldset = element("fieldset", { class: "criterion", "data-criterion": criterion.key }, ...parts);
    fieldset.addEventListener("focusin", () => this.#focus(index));
    return fieldset;
  }

  #focus(index) {
    this.#focused = index;
    this.#render();
  }

  #render() {
    this.#fieldsets.forEach((fieldset, index) => {
      const score = this.#scores[this.#criteria[index].key];
      fieldset.setAttribute("data-focused", String(this.#criteria.length > 1 && index === this.#focused));
      for (const button of fieldset.querySelectorAll(".score")) {
        button.setAttribute("aria-pressed", String(chosen(score) === button.getAttribute("data-value")));
      }
      const sentence = /** @type {HTMLElement} */ (fieldset.querySelector(".cannot-judge"));
      sentence.hidden = !(score && "cannot_judge" in score);
      sentence.textContent = sentence.hidden ? "" : scoreText(score);
    });
  }
}
