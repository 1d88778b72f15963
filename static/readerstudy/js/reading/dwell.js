/** How long each setting of window and zoom was on the screen: what is stored with a score. */

const PASSING_MS = 200;
const MOST = 40;

/** @param {any} state of a viewer */
const settingOf = ({ center, width, invert, zoom }) => ({ center, width, invert, zoom: Math.round(zoom * 1000) / 1000 });

export class Dwell {
  /** @type {Map<string, any>} */
  #settings = new Map();
  #now = settingOf({ center: 0, width: 1, invert: false, zoom: 1 });
  #since = 0;

  /** @param {any} state of the viewer as the image came up */
  start(state) {
    this.#settings.clear();
    this.#now = settingOf(state);
    this.#since = performance.now();
  }

  /** @param {any} state of the viewer after a change */
  change(state) {
    const setting = settingOf(state);
    if (JSON.stringify(setting) === JSON.stringify(this.#now)) return;
    // What a drag only passes through counts to the setting it ends in.
    if (performance.now() - this.#since >= PASSING_MS) this.#add();
    this.#now = setting;
  }

  /** Settings with their milliseconds, in the order of their first use. */
  read() {
    this.#add();
    return [...this.#settings.values()];
  }

  #add() {
    const name = JSON.stringify(this.#now);
    const time = Math.round(performance.now() - this.#since);
    this.#since = performance.now();
    const known = this.#settings.get(name);
    if (known) known.ms += time;
    else if (this.#settings.size < MOST) this.#settings.set(name, { ...this.#now, ms: time });
  }
}
