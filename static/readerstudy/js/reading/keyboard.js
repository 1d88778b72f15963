/**
 * What a key press means in the room. Digits are taken by their place (`code`), so that they work on every layout and on the
 * numpad; letters by what is printed on the key, or by place where the layout has no Latin letters.
 *
 * @typedef {{name: string, argument?: number | string}} Action
 */

/** @type {Record<string, string>} */
const LETTERS = { i: "invert", r: "reset", f: "fit", o: "one_to_one", m: "magnify", n: "cannot_judge", c: "comment" };

/** @type {Record<string, Action>} */
const NAMED = {
  Backspace: { name: "back" },
  ArrowLeft: { name: "back" },
  ArrowRight: { name: "forward" },
  Enter: { name: "go_on" },
  ArrowUp: { name: "level", argument: -1 },
  ArrowDown: { name: "level", argument: 1 },
  Home: { name: "level", argument: -1 },
  End: { name: "level", argument: 1 },
  PageUp: { name: "width", argument: 1 },
  PageDown: { name: "width", argument: -1 },
  "+": { name: "zoom", argument: 1 },
  "=": { name: "zoom", argument: 1 },
  "-": { name: "zoom", argument: -1 },
  "?": { name: "keys" },
};

/** Neighbouring slices, by the place of the key. @type {Record<string, number>} */
const SCROLLS = { Comma: -1, Period: 1 };

/** In pairwise studies the arrows choose. @type {Record<string, string>} */
const CHOICES = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "equal", ArrowDown: "equal" };

/** @type {Record<string, [number, number]>} */
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {Pick<KeyboardEvent, "code" | "key" | "shiftKey" | "altKey" | "ctrlKey" | "metaKey">} event
 * @param {boolean} [pairwise] whether arrows choose and digits do nothing
 * @returns {(Action & {direction?: [number, number]}) | null} */
export function actionOf(event, pairwise = false) {
  if (event.ctrlKey || event.metaKey) return null;
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
  if (digit && event.altKey) return { name: "preset", argument: Number(digit) };
  if (event.altKey) return null;
  if (digit) return Number(digit) <= 5 && !pairwise ? { name: "score", argument: Number(digit) } : null;
  if (event.shiftKey && event.key in DIRECTIONS) return { name: "pan", direction: DIRECTIONS[event.key] };
  if (pairwise && event.key in CHOICES) return { name: "choose", argument: CHOICES[event.key] };
  if (event.code in SCROLLS && !event.shiftKey) return { name: "scroll", argument: SCROLLS[event.code] };
  if (event.key in NAMED) return NAMED[event.key];
  const letter = /^[a-z]$/i.test(event.key) ? event.key : (/^Key([A-Z])$/.exec(event.code)?.[1] ?? "");
  if (letter.toLowerCase() === "w") return { name: "next_preset", argument: event.shiftKey ? -1 : 1 };
  const name = LETTERS[letter.toLowerCase()];
  return name && !event.shiftKey ? { name } : null;
}

/** Keys that belong to the control in focus rather than to the room. @param {KeyboardEvent} event */
function ownKey(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (document.querySelector("dialog[open]")) return true;
  if (target.closest("input, select, textarea, [contenteditable]")) return true;
  return (event.key === "Enter" || event.key === " ") && Boolean(target.closest("button, a, summary"));
}

/** @param {(action: Action & {direction?: [number, number]}) => void} handle @param {boolean} pairwise */
export function listenToKeys(handle, pairwise) {
  const heldAllowed = new Set(["level", "width", "zoom", "pan", "scroll"]);
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || ownKey(event)) return;
    const action = actionOf(event, pairwise);
    if (!action) return;
    event.preventDefault();
    if (event.repeat && !heldAllowed.has(action.name)) return;
    handle(action);
  });
}
