/**
 * Answers leave the browser in order, one at a time, by one tab, and are forgotten only when the server has stored them or
 * the reader has seen why it will not.
 *
 * @typedef {import("./store.js").Entry} Entry
 * @typedef {{waiting: number, held: Entry[], trouble: null | "login" | "unreachable" | "paused", durable: boolean}} State
 */

import { MemoryStore } from "./store.js";

const RETRY_MS = [300, 1000, 2000, 4000, 8000, 15000, 30000];

/** An id for an answer; randomUUID exists only in secure contexts. */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export class Outbox {
  #store;
  #owner;
  #send;
  #changed;
  #tab = newKey();
  #attempts = 0;
  #timer = 0;
  #flushing = false;
  #again = false;
  /** @type {State["trouble"]} */
  #trouble = null;
  #channel = "BroadcastChannel" in window ? new BroadcastChannel("reading-answers") : null;

  /**
   * @param {any} store from openStore @param {string} owner whose answers: those of one schedule
   * @param {(body: any) => Promise<import("./sender.js").Outcome>} send @param {(state: State) => void} changed
   */
  constructor(store, owner, send, changed) {
    this.#store = store;
    this.#owner = owner;
    this.#send = send;
    this.#changed = changed;
    if (this.#channel) this.#channel.onmessage = () => this.#report(false);
    const wake = () => this.wake();
    for (const event of ["online", "focus", "pageshow"]) addEventListener(event, wake);
    document.addEventListener("visibilitychange", wake);
  }

  get durable() {
    return this.#store.durable;
  }

  /** All answers still here, those held for the reader included. @returns {Promise<Entry[]>} */
  async entries() {
    return this.#store.all(this.#owner);
  }

  /**
   * Resolves when the answer is safe: on this computer, or, where nothing can be kept, on the server.
   * @param {any} body with its idempotency key
   */
  async add(body) {
    const entry = { owner: this.#owner, key: body.key, body, held: null };
    try {
      await this.#store.add(entry);
    } catch {
      this.#store = new MemoryStore();
      await this.#store.add(entry);
    }
    if (this.#store.durable) {
      this.#report(true);
      void this.flush();
      return;
    }
    await this.#report(true);
    await this.#settledOnServer(body.key);
  }

  /** Ends the reader's say over a held answer, with another answer in its place or none. @param {Entry} entry @param {any} [replacement] */
  async resolve(entry, replacement) {
    if (replacement) {
      await this.#store.add({ owner: this.#owner, key: replacement.key, body: replacement, held: null });
    }
    await this.#store.remove(entry.sequence);
    await this.#report(true);
    void this.flush();
  }

  /** Tries again now, as after coming back online or signing in. */
  wake() {
    if (document.visibilityState === "hidden") return;
    this.#attempts = 0;
    void this.flush();
  }

  async flush() {
    if (this.#flushing) {
      this.#again = true;
      return;
    }
    this.#flushing = true;
    clearTimeout(this.#timer);
    try {
      do {
        this.#again = false;
        await this.#alone(() => this.#drain());
      } while (this.#again && !this.#trouble);
    } catch {
      this.#retryLater();
    } finally {
      this.#flushing = false;
    }
    await this.#report(false);
  }

  async #alone(work) {
    if (navigator.locks) return navigator.locks.request("reading-answers", work);
    if (!(await this.#store.takeLease(this.#tab))) return this.#retryLater();
    try {
      return await work();
    } finally {
      await this.#store.dropLease();
    }
  }

  async #drain() {
    for (;;) {
      const entries = await this.entries();
      const blocked = new Set(entries.filter((entry) => entry.held).map((entry) => entry.body.presentation));
      const entry = entries.find((candidate) => !blocked.has(candidate.body.presentation));
      if (!entry) {
        this.#trouble = null;
        return;
      }
      if (!navigator.locks && !(await this.#store.takeLease(this.#tab))) return this.#retryLater();
      const { kind, reply } = await this.#send(entry.body);
      if (kind === "login" || kind === "unreachable" || kind === "paused") {
        this.#trouble = kind;
        return this.#retryLater();
      }
      this.#trouble = null;
      this.#attempts = 0;
      if (kind === "stored") await this.#store.remove(entry.sequence);
      else await this.#store.update({ ...entry, held: { kind, reply } });
      await this.#report(true);
    }
  }

  #retryLater() {
    const wait = RETRY_MS[Math.min(this.#attempts++, RETRY_MS.length - 1)];
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.flush(), wait);
  }

  async #settledOnServer(key) {
    for (;;) {
      await this.flush();
      const entry = (await this.entries()).find((candidate) => candidate.key === key);
      if (!entry || entry.held) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(this.#attempts, RETRY_MS.length - 1)]));
    }
  }

  /** @param {boolean} tell whether other tabs should look again */
  async #report(tell) {
    if (tell) this.#channel?.postMessage("changed");
    const entries = await this.entries();
    const held = entries.filter((entry) => entry.held);
    this.#changed({ waiting: entries.length - held.length, held, trouble: this.#trouble, durable: this.#store.durable });
  }
}
