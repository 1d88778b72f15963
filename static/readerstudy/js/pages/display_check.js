/** The display check: fills in what the browser knows of the screen, and takes digits for the corners. */

const form = document.querySelector("#display-check");
const steps = [...form.querySelectorAll("[data-step]")];

/** Lengths in device pixels; the viewport in CSS pixels. */
function measure() {
  const found = {
    width: Math.round(screen.width * devicePixelRatio),
    height: Math.round(screen.height * devicePixelRatio),
    ratio: devicePixelRatio,
    depth: screen.colorDepth,
    agent: navigator.userAgent,
    viewport_width: innerWidth,
    viewport_height: innerHeight,
  };
  for (const [name, value] of Object.entries(found)) {
    const field = form.elements.namedItem(`screen_${name}`);
    if (field) field.value = String(value);
  }
}

/** The radio button to stand on: the one that is chosen, else the first. @param {Element} group */
function entry(group) {
  return group.querySelector("input:checked") ?? group.querySelector("input");
}

function unanswered() {
  return steps.find((step) => !step.querySelector("input:checked"));
}

/** Digits by their place, so that they work on every layout and on the numpad; 0 is "none seen" (-1).
 * @param {KeyboardEvent} event */
function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const digit = /^(?:Digit|Numpad)([0-4])$/.exec(event.code)?.[1];
  const focused = document.activeElement;
  const step = focused.closest("[data-step]") ?? (focused.closest("fieldset, button, a") ? null : unanswered());
  if (!digit || !step) return;
  event.preventDefault();
  step.querySelector(`input[value="${Number(digit) - 1}"]`).checked = true;
  const next = steps[steps.indexOf(step) + 1] ?? form.querySelector("[data-after]");
  if (next) entry(next).focus();
}

form.addEventListener("submit", measure);
document.addEventListener("keydown", press);
measure();
const first = unanswered();
if (first) entry(first).focus();
