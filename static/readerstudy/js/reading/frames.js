/**
 * Fetches the frames of the image at hand and of the next ones, keeps a few, drops the rest.
 *
 * @typedef {import("./session.js").Item} Item
 * @typedef {null | "unreachable" | "login"} Trouble
 */

const AHEAD = 3;
const BEHIND = 1;
const RETRY_MS = [300, 1000, 2000, 4000, 8000, 15000];

/** The presentation cannot be seen any more, whatever one does. */
export class Gone extends Error {}

export class Frames {
  /** @type {Map<string, {buffers: Promise<ArrayBuffer[][]>, ready: boolean, stop: AbortController}>} */
  #kept = new Map();
  #trouble;
  #wakers = new Set();

  /** @param {(trouble: Trouble) => void} trouble told while an image cannot be had, and null when one came */
  constructor(trouble) {
    this.#trouble = trouble;
    for (const event of ["online", "focus"]) addEventListener(event, () => this.wake());
  }

  /** Frames by pane, once every byte is there. @param {Item[]} items @param {number} at */
  async get(items, at) {
    const wanted = items.slice(Math.max(0, at - BEHIND), at + AHEAD + 1);
    for (const [id, entry] of this.#kept) {
      if (!wanted.some((item) => item.id === id)) {
        entry.stop.abort();
        this.#kept.delete(id);
      }
    }
    const now = this.#keep(items[at], "high");
    for (const item of items.slice(at + 1, at + AHEAD + 1)) this.#keep(item, "low");
    return now.buffers;
  }

  /** Whether the image can be shown at once. @param {Item} item */
  ready(item) {
    return this.#kept.get(item.id)?.ready ?? false;
  }

  /** The frames of an image under way or here, else nothing; never begins a fetch. @param {Item} item */
  ahead(item) {
    return this.#kept.get(item.id)?.buffers;
  }

  wake() {
    for (const waker of this.#wakers) waker();
  }

  #keep(item, priority) {
    const kept = this.#kept.get(item.id);
    if (kept) return kept;
    const stop = new AbortController();
    const length = item.rows * item.columns * 2;
    const one = ({ url }) => this.#fetch(url, length, priority, stop.signal);
    const entry = { stop, ready: false, buffers: Promise.all(item.panes.map((frames) => Promise.all(frames.map(one)))) };
    this.#kept.set(item.id, entry);
    entry.buffers.then(
      () => (entry.ready = true),
      () => this.#kept.get(item.id) === entry && this.#kept.delete(item.id),
    );
    return entry;
  }

  async #fetch(url, length, priority, signal) {
    for (let attempt = 0; ; attempt++) {
      try {
        const response = await fetch(url, /** @type {any} */ ({ priority, signal, cache: "no-store", redirect: "manual" }));
        if (response.ok) {
          const bytes = await response.arrayBuffer();
          if (bytes.byteLength === length) {
            this.#trouble(null);
            return bytes;
          }
        }
        if ([404, 410, 423].includes(response.status)) throw new Gone(url);
        const signedOut = response.type === "opaqueredirect" || [401, 403].includes(response.status);
        this.#trouble(signedOut ? "login" : "unreachable");
      } catch (error) {
        if (signal.aborted || error instanceof Gone) throw error;
        this.#trouble("unreachable");
      }
      await this.#pause(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
      signal.throwIfAborted();
    }
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wakers.delete(done);
        resolve(undefined);
      };
      const timer = setTimeout(done, milliseconds);
      this.#wakers.add(done);
    });
  }
}
