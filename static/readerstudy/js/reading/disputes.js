/**
 * Answers that the server did not take: shown one after the other, each ended by the reader's explicit choice.
 *
 * @typedef {import("./store.js").Entry} Entry
 */

import { newKey } from "./outbox.js";
import { scoreText } from "./panel.js";
import { find } from "./status.js";
import { text } from "./texts.js";

export class Disputes {
  #dialog = /** @type {HTMLDialogElement} */ (find("#dispute"));
  /** @type {Entry | null} */
  #entry = null;
  #outbox;
  #session;
  #criteria;
  #nameOf;
  #ended;

  /**
   * @param {import("./outbox.js").Outbox} outbox @param {import("./session.js").Session} session
   * @param {import("./panel.js").Criterion[]} criteria @param {(mark: any) => string} nameOf a mark, in words
   * @param {() => void} ended called when a choice was made
   */
  constructor(outbox, session, criteria, nameOf, ended) {
    this.#outbox = outbox;
    this.#session = session;
    this.#criteria = criteria;
    this.#nameOf = nameOf;
    this.#ended = ended;
    this.#dialog.addEventListener("cancel", (event) => event.preventDefault());
    find("#dispute-keep").addEventListener("click", () => this.#keep());
    find("#dispute-replace").addEventListener("click", () => this.#replace());
    find("#dispute-drop").addEventListener("click", () => this.#drop());
  }

  /** Shows the first of the held answers, or closes when another tab has settled it. @param {Entry[]} held */
  update(held) {
    if (this.#entry && held.some((entry) => entry.key === this.#entry?.key)) return;
    this.#entry = held[0] ?? null;
    if (!this.#entry) {
      if (this.#dialog.open) this.#dialog.close();
      return;
    }
    this.#render(this.#entry);
    if (!this.#dialog.open) this.#dialog.showModal();
    find("#dispute-title").focus();
  }

  #render({ body, held }) {
    const conflict = held?.kind === "conflict";
    const item = this.#session.items.find((one) => one.id === body.presentation);
    const image = item ? text("position", { n: item.position, of: this.#session.items.length }) : text("earlier_image");
    find("#dispute-title").textContent = conflict ? text("conflict_title", { image }) : text("refused_title", { image });
    find("#dispute-reason").textContent = conflict ? text("conflict_reason") : (held?.reply?.error ?? text("refused_reason"));
    const rows = this.#rows(body, conflict ? (held?.reply?.stored ?? {}) : {}).map((cells) => {
      const row = document.createElement("tr");
      for (const words of cells) row.insertCell().textContent = words;
      return row;
    });
    find("#dispute-scores tbody").replaceChildren(...rows);
    for (const id of ["#dispute-keep", "#dispute-replace"]) find(id).hidden = !conflict;
    find("#dispute-drop").hidden = conflict;
  }

  /** What it is about, what is stored, what was given here. */
  #rows({ mark, answers }, stored) {
    if (mark) return [[text("mark"), stored.id ? this.#nameOf(stored) : "–", this.#nameOf(mark)]];
    return this.#criteria.map(({ key, title }) => [title, scoreText(stored[key]), scoreText(answers[key])]);
  }

  async #keep() {
    const entry = this.#entry;
    if (!entry) return;
    const { presentation, mark } = entry.body;
    const stored = entry.held?.reply?.stored ?? {};
    if (!mark) this.#session.record(presentation, stored, null);
    else if (stored.id) this.#session.mark(presentation, stored);
    else this.#session.unmark(presentation, mark.id);
    await this.#end(entry);
  }

  async #replace() {
    const entry = this.#entry;
    if (!entry) return;
    const { presentation, mark } = entry.body;
    const body = { ...entry.body, key: newKey() };
    if (mark) {
      body.mark = { ...mark, revision: (entry.held?.reply?.stored?.revision ?? 0) + 1 };
      this.#session.mark(presentation, body.mark);
    } else {
      body.replaces = true;
      this.#session.record(presentation, body.answers, body.key, body.comment);
    }
    await this.#end(entry, body);
  }

  async #drop() {
    const entry = this.#entry;
    if (!entry) return;
    const { presentation, mark } = entry.body;
    if (mark) this.#session.unmark(presentation, mark.id);
    else this.#session.forget(presentation);
    await this.#end(entry);
  }

  async #end(entry, replacement) {
    await this.#outbox.resolve(entry, replacement);
    this.#ended();
  }
}
