/** Times of one image: painted, scored, and how much of the time in between nobody touched mouse or keyboard. */

const IDLE_AFTER_MS = 60000;
const BREAK_MS = 300000;
const INPUTS = ["keydown", "pointerdown", "pointermove", "wheel"];

export class Clock {
  #paintedAt = 0;
  #paintedDate = "";
  #lastInput = 0;
  #idle = 0;
  #sinceBreak = performance.now();

  constructor() {
    for (const input of INPUTS) addEventListener(input, () => this.#touch(), { capture: true, passive: true });
  }

  /** The image is on the screen. */
  start() {
    this.#paintedAt = this.#lastInput = performance.now();
    this.#paintedDate = new Date().toISOString();
    this.#idle = 0;
  }

  /** @param {number} tooFastMs answers below this are marked, never refused */
  read(tooFastMs) {
    this.#touch();
    const elapsed = performance.now() - this.#paintedAt;
    return {
      painted_at: this.#paintedDate,
      scored_at: new Date().toISOString(),
      elapsed_ms: Math.round(elapsed),
      idle_ms: Math.round(this.#idle),
      too_fast: elapsed < tooFastMs,
    };
  }

  /** Whether it is time for a break, said once per stretch of reading. @param {number} minutes 0: never */
  wantsBreak(minutes) {
    if (!minutes || performance.now() - this.#sinceBreak < minutes * 60000) return false;
    this.#sinceBreak = performance.now();
    return true;
  }

  #touch() {
    const now = performance.now();
    const gap = now - this.#lastInput;
    if (gap > BREAK_MS) this.#sinceBreak = now;
    if (gap > IDLE_AFTER_MS) this.#idle += gap;
    this.#lastInput = now;
  }
}
