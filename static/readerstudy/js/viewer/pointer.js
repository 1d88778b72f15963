/** Mouse and pen on a pane: left drag = window, right, middle or shift drag = pan, wheel = zoom (or scroll), double click = fit. */

const ZOOM_PER_LINE = 1.1;
const LINES_PER_MODE = [1 / 100, 1 / 3, 1];

/**
 * @param {HTMLElement} element
 * @param {{
 *   dragStart: () => void, window: (dx: number, dy: number) => void, pan: (dx: number, dy: number) => void,
 *   zoom: (x: number, y: number, factor: number) => void, scroll: (steps: number) => void, fit: () => void,
 *   scrolls: () => boolean, hover: (x: number, y: number) => void,
 * }} actions  distances and places in CSS pixels; `window` gets the whole way since the start, `pan` the last step
 * @param {AbortSignal} signal
 */
export function listenToPointer(element, actions, signal) {
  /** @type {{id: number, x: number, y: number, lastX: number, lastY: number, pans: boolean} | null} */
  let drag = null;
  const place = (event) => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const on = (name, handler, options = {}) => element.addEventListener(name, handler, { signal, ...options });

  on("pointerdown", (event) => {
    if (drag || event.button > 2) return;
    const [x, y] = place(event);
    drag = { id: event.pointerId, x, y, lastX: x, lastY: y, pans: event.button !== 0 || event.shiftKey };
    element.setPointerCapture(event.pointerId);
    actions.dragStart();
  });
  on("pointermove", (event) => {
    const [x, y] = place(event);
    actions.hover(x, y);
    if (!drag || event.pointerId !== drag.id) return;
    if (drag.pans) actions.pan(x - drag.lastX, y - drag.lastY);
    else actions.window(x - drag.x, y - drag.y);
    drag.lastX = x;
    drag.lastY = y;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    on(end, (event) => {
      if (drag && event.pointerId === drag.id) drag = null;
    });
  }
  on("contextmenu", (event) => event.preventDefault());
  on("dblclick", () => actions.fit());
  on(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaY * LINES_PER_MODE[event.deltaMode];
      if (actions.scrolls() && !event.ctrlKey) actions.scroll(Math.sign(lines));
      else actions.zoom(...place(event), ZOOM_PER_LINE ** -lines);
    },
    { passive: false },
  );
}
