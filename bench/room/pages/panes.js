/** The same two panes for both viewers: ?module=address of the viewer&renderer=webgl or canvas. */

const query = new URLSearchParams(location.search);
const META = { rows: 512, columns: 512, spacing: [0.7, 0.7], slope: 1, intercept: -1024, window: { center: 40, width: 400 } };

const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
const fetched = [1, 2].map((number) => fetch(`/frames/${number}`).then((reply) => reply.arrayBuffer()));
const { createViewer } = await import(query.get("module"));
const boxes = [...document.querySelectorAll(".pane")];
const panes = boxes.map((box) => createViewer(box, { renderer: query.get("renderer") }));

const painted = panes.map((pane) => new Promise((resolve) => pane.on("painted", resolve)));
for (const [at, pane] of panes.entries()) {
  pane.load(await fetched[at], { ...META, key: "first" });
  pane.show("first");
}
await Promise.all(painted);
// The frame with both images has been handed over when the one after the next begins.
for (let i = 0; i < 2; i++) await frame();
window.panes = panes;
/** Milliseconds from the start of the navigation until both first images were painted. */
window.firstImage = performance.now();

/** Changes the window of both panes once per frame, `count` times; the wall-clock milliseconds per frame. */
window.windowFrames = async (count) => {
  await frame();
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    for (const pane of panes) pane.setWindow(40 + (i % 40), 380 + (i % 50));
    await frame();
  }
  return (performance.now() - start) / count;
};

/** Mean grey of each pane under one window, to see that what is timed is drawn. */
window.greys = async (center, width) => {
  for (const pane of panes) pane.setWindow(center, width);
  for (let i = 0; i < 4; i++) await frame();
  return panes.map((pane) => {
    const pixels = pane.pixels();
    let sum = 0;
    for (let i = 0; i < pixels.length; i += 4) sum += pixels[i];
    return (4 * sum) / pixels.length;
  });
};
