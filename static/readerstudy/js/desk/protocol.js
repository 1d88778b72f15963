/** The protocol's page: puts what is wrong beside its input, and prints. Everything else works without this module. */

const form = document.querySelector("#protocol-form");
/** The input marked by the last answer. @type {Element | null} */
let marked = null;

/** The input or group of a key, or of the key that holds it. @param {string} key */
function inputOf(key) {
  for (let parts = key.split("."); parts.length > 1; parts.pop()) {
    const found = document.getElementById(`f-${parts.join("-")}`);
    if (found) return found;
  }
  return null;
}

/** @param {Element | null} input @param {string} sentence */
function mark(input, sentence) {
  if (!input) return;
  const place = document.getElementById(`${input.id}-error`);
  if (place) place.textContent = sentence;
  if (input.tagName === "FIELDSET") return;
  if (sentence) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

function placeProblem() {
  for (const input of form.querySelectorAll("[aria-invalid]")) mark(input, "");
  mark(marked, "");
  document.querySelector("#protocol-error")?.remove();
  const problem = document.querySelector("#outlook [data-at]");
  marked = problem ? inputOf(problem.getAttribute("data-at") ?? "") : null;
  mark(marked, problem?.textContent ?? "");
}

form?.addEventListener("htmx:afterSwap", (event) => {
  const { id } = /** @type {HTMLElement} */ (event.target);
  if (id === "outlook") placeProblem();
  else if (id.startsWith("part-")) form.dispatchEvent(new Event("change"));
});

for (const button of document.querySelectorAll("[data-print]")) {
  /** @type {HTMLElement} */ (button).hidden = false;
  button.addEventListener("click", () => window.print());
}
