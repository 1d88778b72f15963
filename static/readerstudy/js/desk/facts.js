// The pictures beside the facts of a case follow its window and its spacing as they are typed.

const form = document.getElementById("facts");
const values = document.getElementById("window-values");
const pictures = document.querySelectorAll("[data-preview]");
const WAIT_MS = 200;
let timer = 0;

function automatic() {
  return form.elements.window.value !== "same";
}

function show() {
  const { anatomy, window_center: center, window_width: width, row_spacing: row, column_spacing: column } = form.elements;
  for (const picture of pictures) {
    const query = new URLSearchParams({ row: row.value, column: column.value });
    if (automatic()) {
      query.set("anatomy", anatomy.value.trim().toLowerCase());
    } else {
      query.set("center", center.value);
      query.set("width", width.value);
    }
    const address = `${picture.getAttribute("src").split("?")[0]}?${query}`;
    if (picture.getAttribute("src") !== address) picture.setAttribute("src", address);
  }
}

function follow() {
  values.hidden = automatic();
  clearTimeout(timer);
  timer = setTimeout(show, WAIT_MS);
}

form.addEventListener("input", follow);
values.hidden = automatic();
if ("sent" in form.dataset) show(); // refused, so that the form holds what was typed
