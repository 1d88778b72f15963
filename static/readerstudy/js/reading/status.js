/** What the page says about itself: place in the session, whether everything is saved, what is wrong. */

import { text } from "./texts.js";

const WAITING_SHOWN_AFTER_MS = 400;

/** @param {string} selector @returns {HTMLElement} */
export function find(selector) {
  const found = document.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`The page has no ${selector}.`);
  return found;
}

export class Status {
  #line = find("#status");
  #notice = find("#notice");
  #login = find("#login-notice");
  #late = 0;
  #outboxLogin = false;
  #frameLogin = false;

  /** @param {import("./outbox.js").State} state */
  saved(state) {
    clearTimeout(this.#late);
    this.#outboxLogin = state.trouble === "login";
    this.#showLogin();
    const [name, words] = this.#words(state);
    // An answer that is stored within a blink is not worth an announcement.
    if (name === "waiting" && !state.trouble && state.durable) this.#late = window.setTimeout(() => this.#show(name, words), WAITING_SHOWN_AFTER_MS);
    else this.#show(name, words);
  }

  /** @param {boolean} needed an image could not be had without signing in */
  frameNeedsLogin(needed) {
    this.#frameLogin = needed;
    this.#showLogin();
  }

  /** A sentence above the scores, until the next one. @param {string} sentence */
  say(sentence) {
    if (this.#notice.textContent === sentence) return;
    this.#notice.textContent = sentence;
    this.#notice.hidden = !sentence;
  }

  /** @param {number} position @param {import("./session.js").Session} session */
  place(position, session) {
    const of = session.items.length;
    find("#position").textContent = text("position", { n: Math.min(position, of), of });
    find("#done").textContent = session.criteria.length ? text("done", { n: session.done }) : text("compared", { n: session.done });
    const bar = /** @type {HTMLProgressElement} */ (find("#progress"));
    bar.max = of;
    bar.value = session.done;
  }

  #words({ waiting, held, trouble, durable }) {
    if (held.length) return ["failed", text("held", { n: held.length })];
    if (trouble === "login") return ["login", text("not_saved_login", { n: waiting })];
    if (trouble === "paused") return ["waiting", text("not_saved_paused", { n: waiting })];
    if (!durable && waiting) return ["failed", text("waiting_for_server")];
    if (waiting) return ["waiting", text("waiting", { n: waiting })];
    return ["saved", durable ? text("saved") : text("saved_server_only")];
  }

  #show(name, words) {
    this.#line.dataset.state = name;
    if (this.#line.textContent !== words) this.#line.textContent = words;
  }

  #showLogin() {
    this.#login.hidden = !(this.#outboxLogin || this.#frameLogin);
  }
}
