/** Names of uploaded files: kept in this tab alone, and shown in the report of their import as long as it lives. */

const KEY = "upload-names:";

/** @param {string} batch of the import @param {string[]} names in the order of the files' numbers */
export function keepNames(batch, names) {
  // A zip's files are numbered by what is in it.
  if (names.length < 2) return;
  try {
    sessionStorage.setItem(KEY + batch, JSON.stringify(names));
  } catch {
    // Too many for the browser to keep: the report then has numbers only.
  }
}

function showNames() {
  const table = document.querySelector("[data-batch]");
  const kept = table && sessionStorage.getItem(KEY + table.getAttribute("data-batch"));
  if (!table || !kept) return;
  /** @type {string[]} */
  const names = JSON.parse(kept);
  for (const place of table.querySelectorAll("[data-file]")) {
    const name = names[Number(place.getAttribute("data-file")) - 1];
    if (!name) continue;
    const line = document.createElement("span");
    line.className = "file-name";
    line.textContent = name;
    place.append(line);
  }
  // Numbers alone stand to the right, numbers with names to the left.
  for (const cell of table.querySelectorAll("th.number, td.number")) cell.classList.remove("number");
  const note = document.getElementById("names-note");
  if (note) note.hidden = false;
}

showNames();
