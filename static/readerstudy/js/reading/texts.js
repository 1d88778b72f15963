/** The page's translated sentences: the server writes them into #room-texts, scripts fill in the {names}. */

/** @type {Map<string, string> | null} */
let sentences = null;

function read() {
  const list = document.querySelectorAll("#room-texts [data-text]");
  return new Map([...list].map((item) => [item.getAttribute("data-text") ?? "", item.textContent?.trim() ?? ""]));
}

/** @param {string} name @param {Record<string, string | number>} values */
export function text(name, values = {}) {
  sentences ??= read();
  const sentence = sentences.get(name);
  if (sentence === undefined) throw new Error(`The page has no text named ${name}.`);
  return sentence.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
}
