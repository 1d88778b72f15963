/**
 * Sends the files of an upload in pieces, several at a time; goes on by itself after a broken connection.
 *
 * @typedef {{number: number, size: number, here: number, file?: File, path: string}} Entry
 */

import { Unreadable } from "./upload-files.js";

const LANES = 3;
const FIRST_PIECE = 1024 * 1024;
const SMALLEST_PIECE = 64 * 1024;
const QUICK_MS = 1000;
const SLOW_MS = 10_000;
const LONGEST_WAIT_S = 30;
const RATE_WINDOW_MS = 15_000;

export class Sender {
  #server;
  #id;
  #entries;
  #most;
  #piece = FIRST_PIECE;
  #next = 0;
  #failures = 0;
  #stopped = false;
  /** @type {[number, number][]} time and bytes here */
  #samples = [];
  /** Resolves when the sender goes on. @type {Promise<void> | null} */
  #pause = null;
  #goOn = () => {};
  /** Ends of waits that are under way. @type {Set<() => void>} */
  #waits = new Set();

  /** Set by who wants to know: something arrived, or the sender waits or stopped with a sentence. */
  onProgress = () => {};
  /** @type {(kind: "waits" | "paused" | "runs", sentence: string, seconds: number) => void} */
  onTrouble = () => {};

  /** @param {import("./upload-server.js").Server} server @param {string} id @param {Entry[]} entries @param {number} most bytes of a piece */
  constructor(server, id, entries, most) {
    this.#server = server;
    this.#id = id;
    this.#entries = entries;
    this.#most = most;
    this.bytes = entries.reduce((sum, { size }) => sum + size, 0);
    this.bytesHere = entries.reduce((sum, { here }) => sum + here, 0);
    this.filesHere = entries.filter(({ here, size }) => here === size).length;
    this.files = entries.length;
  }

  /** Resolves true when everything is at the server, false when it was stopped; rejects where a file can't be read. */
  async run() {
    const online = () => this.#wake();
    addEventListener("online", online);
    try {
      this.#sample();
      await Promise.all(Array.from({ length: LANES }, () => this.#lane()));
    } catch (error) {
      this.stop();
      throw error;
    } finally {
      removeEventListener("online", online);
    }
    return !this.#stopped;
  }

  get paused() {
    return this.#pause !== null;
  }

  pause(sentence = "") {
    if (this.#pause) return;
    this.#pause = new Promise((resolve) => (this.#goOn = resolve));
    this.onTrouble("paused", sentence, 0);
  }

  resume() {
    this.#pause = null;
    this.#failures = 0;
    this.#samples = [];
    this.#sample();
    this.onTrouble("runs", "", 0);
    this.#goOn();
    this.#wake();
  }

  stop() {
    this.#stopped = true;
    this.#server.abort();
    this.#pause = null;
    this.#goOn();
    this.#wake();
  }

  /** Bytes per second over the last seconds, or 0 before anything is known. */
  get rate() {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last[0] - first[0] < QUICK_MS) return 0;
    return (1000 * (last[1] - first[1])) / (last[0] - first[0]);
  }

  async #lane() {
    while (!this.#stopped && this.#next < this.#entries.length) {
      const entry = this.#entries[this.#next++];
      while (entry.here < entry.size && !this.#stopped) await this.#step(entry);
    }
  }

  /** One piece of a file, or one wait. @param {Entry} entry */
  async #step(entry) {
    if (this.#pause) await this.#pause;
    if (this.#stopped) return;
    const bytes = await this.#read(entry);
    const begun = performance.now();
    const outcome = await this.#server.piece(this.#id, entry.number, entry.here, bytes);
    if (this.#stopped) return;
    if (outcome.kind === "done" && Number.isInteger(outcome.reply.here)) this.#took(entry, outcome.reply.here, performance.now() - begun);
    else if (outcome.status === 409 && Number.isInteger(outcome.reply.offset)) this.#arrived(entry, outcome.reply.offset);
    else if (outcome.kind === "smaller" && this.#shrink()) return;
    else if (outcome.kind === "again" || outcome.kind === "done") await this.#wait(outcome.sentence);
    else this.pause(outcome.sentence);
  }

  /** @param {Entry} entry */
  async #read({ file, here, path }) {
    try {
      return await /** @type {File} */ (file).slice(here, here + this.#piece).arrayBuffer();
    } catch {
      throw new Unreadable(path);
    }
  }

  /** @param {Entry} entry @param {number} here @param {number} took */
  #took(entry, here, took) {
    if (this.#failures) this.onTrouble("runs", "", 0);
    this.#failures = 0;
    if (took < QUICK_MS) this.#piece = Math.min(this.#most, 2 * this.#piece);
    else if (took > SLOW_MS) this.#shrink();
    this.#arrived(entry, here);
  }

  /** @param {Entry} entry @param {number} here */
  #arrived(entry, here) {
    this.bytesHere += here - entry.here;
    entry.here = here;
    if (here === entry.size) this.filesHere++;
    this.#sample();
    this.onProgress();
  }

  #shrink() {
    const before = this.#piece;
    this.#piece = Math.max(SMALLEST_PIECE, before / 2);
    return this.#piece < before;
  }

  /** Longer every time, and ended by a connection that comes back. @param {string} sentence */
  async #wait(sentence) {
    const seconds = Math.min(LONGEST_WAIT_S, 2 ** this.#failures++);
    this.#shrink();
    this.onTrouble("waits", sentence, seconds);
    await new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#waits.delete(end);
        resolve(undefined);
      };
      const timer = setTimeout(end, 1000 * seconds * (0.8 + 0.4 * Math.random()));
      this.#waits.add(end);
    });
  }

  #wake() {
    for (const end of this.#waits) end();
  }

  #sample() {
    const now = performance.now();
    this.#samples.push([now, this.bytesHere]);
    while (this.#samples.length > 2 && now - this.#samples[0][0] > RATE_WINDOW_MS) this.#samples.shift();
  }
}
