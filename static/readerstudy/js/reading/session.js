/**
 * Where the reader stands in one session: which images are scored, which may be seen again.
 *
 * @typedef {{value: number} | {choice: string} | {cannot_judge: string}} Score
 * @typedef {Record<string, Score>} Scores  by criterion key
 * @typedef {{id: string, position: number, panes: {url: string, offset: number}[][], reference: number | null,
 *   rows: number, columns: number, spacing: [number, number] | null, modality: string, slope: number, intercept: number,
 *   window: {center: number, width: number}, inverted: boolean, scores: Scores, comment: string, marks: Mark[],
 *   compared: boolean, grade?: number}} Item  reference: its pane's index; grade: of a practice image
 * @typedef {{scores: Scores, key: string | null, comment: string}} Given  key: of the answer, null if from the server
 * @typedef {import("../marks/board.js").Mark} Mark
 */

export class Session {
  /** @type {Map<string, Given>} */
  #given = new Map();
  /** @type {Map<string, Map<string, Mark>>} by presentation and mark */
  #marks = new Map();

  /** @param {Item[]} items in order @param {string[]} criteria keys @param {number} back how many images one may go back */
  constructor(items, criteria, back) {
    this.items = items;
    this.criteria = criteria;
    this.back = back;
    for (const item of items) {
      const given = item.compared || Object.keys(item.scores).length;
      if (given) this.#given.set(item.id, { scores: item.scores, key: null, comment: item.comment });
      for (const mark of item.marks) this.mark(item.id, mark);
    }
    this.at = this.frontier;
  }

  get current() {
    return this.items[this.at] ?? null;
  }

  /** @param {Item} item */
  given(item) {
    return this.#given.get(item.id) ?? null;
  }

  /** @param {Item} item */
  scored(item) {
    const scores = this.#given.get(item.id)?.scores;
    return Boolean(scores) && this.criteria.every((key) => scores && key in scores);
  }

  /** Index of the first image that still needs a score; the number of images when all have theirs. */
  get frontier() {
    const first = this.items.findIndex((item) => !this.scored(item));
    return first < 0 ? this.items.length : first;
  }

  get done() {
    return this.items.filter((item) => this.scored(item)).length;
  }

  /** @param {string} id presentation @param {Scores} scores @param {string | null} key @param {string} comment */
  record(id, scores, key, comment = "") {
    this.#given.set(id, { scores, key, comment });
  }

  /** An answer that the server refused is no answer. @param {string} id */
  forget(id) {
    this.#given.delete(id);
  }

  /** Keeps a mark as it now is. @param {string} id presentation @param {Mark} mark */
  mark(id, mark) {
    const marks = this.#marks.get(id) ?? new Map();
    this.#marks.set(id, marks.set(mark.id, mark));
  }

  /** @param {string} id presentation @param {string} mark */
  unmark(id, mark) {
    this.#marks.get(id)?.delete(mark);
  }

  /** @param {Item} item @returns {Mark[]} the deleted ones included */
  marks(item) {
    return [...(this.#marks.get(item.id)?.values() ?? [])];
  }

  get canGoBack() {
    return this.at > 0 && this.at - 1 >= this.frontier - this.back;
  }

  /** Only images that are scored can be left forwards. */
  get canGoOn() {
    return this.current !== null && this.scored(this.current);
  }

  goBack() {
    if (this.canGoBack) this.at -= 1;
  }

  goOn() {
    if (this.canGoOn) this.at += 1;
  }

  /** @param {number} index */
  goTo(index) {
    this.at = index;
  }
}
