/** The end of a session on the stage: what comes next, once every answer has arrived. */

import { find } from "./status.js";
import { text } from "./texts.js";

export class Finish {
  #link = find("#finish-link");
  #compare = document.querySelector("#compare-button");
  #url;

  /** @param {string} url where the link goes when nothing waits any more */
  constructor(url) {
    this.#url = url;
  }

  /** @param {boolean} shown @param {boolean} canGoBack */
  show(shown, canGoBack) {
    find("#finish").hidden = !shown;
    find("#panel").hidden = shown;
    find("#finish-back").hidden = !canGoBack;
    if (shown) find("#finish-title").focus();
  }

  /** @param {number} unsent answers that the server has not got yet */
  waiting(unsent) {
    if (unsent) this.#link.removeAttribute("href");
    else this.#link.setAttribute("href", this.#url);
    this.#link.setAttribute("aria-disabled", String(unsent > 0));
    if (this.#compare instanceof HTMLButtonElement) this.#compare.disabled = unsent > 0;
    find("#finish-waiting").textContent = unsent ? text("finish_waiting", { n: unsent }) : "";
  }
}
