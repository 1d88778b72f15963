/**
 * What the page asks of the server, and what an answer means for it.
 *
 * @typedef {"done" | "again" | "smaller" | "login" | "refused"} Kind
 * @typedef {{kind: Kind, status: number, reply: any, sentence: string}} Outcome
 */

const LIMIT_MS = 60_000;
const SIGNED_OUT = "You are signed out: sign in again in another tab, then go on here. What has arrived is kept.";

export class Server {
  #address;
  #token;
  #stop = new AbortController();

  /** @param {string} address of all uploads @param {string} token against forged requests */
  constructor(address, token) {
    this.#address = address;
    this.#token = token;
  }

  /** Breaks off whatever is under way. */
  abort() {
    this.#stop.abort();
    this.#stop = new AbortController();
  }

  /** @param {Record<string, any>} values */
  begin(values) {
    return this.#post("", JSON.stringify(values), "application/json");
  }

  /** @param {string} id @param {boolean} files whether to list what is here of every file */
  status(id, files = false) {
    return this.#ask(`${id}/${files ? "?files" : ""}`, { method: "GET" });
  }

  /** @param {string} id @param {number} number @param {number} offset @param {ArrayBuffer} bytes */
  piece(id, number, offset, bytes) {
    return this.#post(`${id}/${number}/${offset}/`, bytes, "application/octet-stream");
  }

  /** @param {string} id */
  finish(id) {
    return this.#post(`${id}/finish/`);
  }

  /** @param {string} id */
  giveUp(id) {
    return this.#post(`${id}/give-up/`);
  }

  /** @param {string} path @param {any} body @param {string} type @returns {Promise<Outcome>} */
  async #post(path, body = null, type = "application/json") {
    const send = () => this.#ask(path, { method: "POST", body, headers: { "Content-Type": type, "X-CSRFToken": this.#token } });
    const outcome = await send();
    // After a new sign-in the token is another one; the page itself, fetched anew, knows it.
    return outcome.kind === "login" && (await this.#renewToken()) ? send() : outcome;
  }

  /** @param {string} path @param {RequestInit} options @returns {Promise<Outcome>} */
  async #ask(path, options) {
    /** @type {RequestInit} */
    const given = { credentials: "same-origin", redirect: "manual", cache: "no-store" };
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(LIMIT_MS), this.#stop.signal]);
      const response = await fetch(this.#address + path, { ...given, ...options, signal });
      const reply = await response.json().catch(() => null);
      return { ...meaning(response, reply), status: response.status, reply: reply ?? {} };
    } catch {
      return { kind: "again", status: 0, reply: {}, sentence: "The server can't be reached." };
    }
  }

  /** @returns {Promise<boolean>} whether somebody is signed in */
  async #renewToken() {
    try {
      const response = await fetch(location.pathname, { credentials: "same-origin", redirect: "manual", cache: "no-store" });
      if (!response.ok) return false;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const token = /** @type {HTMLInputElement | null} */ (page.querySelector("#upload-form [name=csrfmiddlewaretoken]"))?.value;
      if (!token) return false;
      this.#token = token;
      return true;
    } catch {
      return false;
    }
  }
}

/** @param {Response} response @param {any} reply @returns {{kind: Kind, sentence: string}} */
function meaning(response, reply) {
  const sentence = reply?.error ?? "";
  if (response.ok && reply) return { kind: "done", sentence };
  if (response.type === "opaqueredirect" || response.status === 401 || response.status === 403) return { kind: "login", sentence: SIGNED_OUT };
  // A proxy with a limit of its own answers with a page.
  if (response.status === 413 && !reply) return { kind: "smaller", sentence: "A proxy takes smaller requests only: tell the administrator." };
  if (response.status === 507 || (response.status >= 400 && response.status < 500 && ![408, 425, 429].includes(response.status)))
    return { kind: "refused", sentence: sentence || "There is no such upload any more: begin a new one." };
  return { kind: "again", sentence: sentence || "The server does not answer as it should." };
}
