/** The canvas 2D renderer: resamples once per view, so that a change of the window is one pass over the visible pixels. */

import { axisTaps, resample } from "./resample.js";

const OPAQUE = 0xff000000;
const GREYS = Uint32Array.from({ length: 256 }, (_, grey) => OPAQUE | (grey * 0x010101));

/** @param {HTMLCanvasElement} canvas */
export function createCanvasRenderer(canvas) {
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("This browser offers no canvas to draw on; use a current browser.");
  /** @type {{signature: string, across: any, down: any, values: Float32Array, image: ImageData, ramp: string} | null} */
  let sampled = null;
  /** The image that comes next, resampled and windowed before it is asked for. @type {typeof sampled} */
  let ahead = null;

  const signatureOf = (frame, { left, top, scaleX, scaleY }, smooth) =>
    [frame.key, canvas.width, canvas.height, left, top, scaleX, scaleY, smooth].join();

  function sample(frame, placement, smooth) {
    const signature = signatureOf(frame, placement, smooth);
    if (sampled?.signature === signature) return sampled;
    sampled = ahead?.signature === signature ? ahead : resampled(frame, placement, smooth, signature);
    ahead = null;
    clear();
    return sampled;
  }

  function resampled(frame, { left, top, scaleX, scaleY }, smooth, signature) {
    const across = axisTaps(canvas.width, left, scaleX, frame.columns, smooth);
    const down = axisTaps(canvas.height, top, scaleY, frame.rows, smooth);
    const values = resample(frame.pixels, frame.columns, across, down);
    const image = new ImageData(Math.max(1, across.length), Math.max(1, down.length));
    return { signature, across, down, values, image, ramp: "" };
  }

  /** Greys of the window, unless the image holds them already. */
  function windowed(made, ramp) {
    const wanted = `${ramp.gain},${ramp.offset}`;
    if (made.ramp === wanted) return;
    made.ramp = wanted;
    const { values, image } = made;
    const out = new Uint32Array(image.data.buffer);
    const gain = ramp.gain * 255;
    const offset = ramp.offset * 255 + 0.5;
    for (let i = 0; i < values.length; i++) {
      const grey = values[i] * gain + offset;
      out[i] = GREYS[grey <= 0 ? 0 : grey >= 255 ? 255 : grey | 0];
    }
  }

  function clear() {
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }

  return {
    kind: "canvas",
    /** @param {any} frame @param {any} placement @param {{gain: number, offset: number}} ramp @param {boolean} smooth */
    draw(frame, placement, ramp, smooth) {
      const made = sample(frame, placement, smooth);
      if (!made.values.length) return;
      windowed(made, ramp);
      context.putImageData(made.image, made.across.start, made.down.start);
    },
    /** Makes ready what `draw` with the same arguments will need; shows nothing. */
    prepare(frame, placement, ramp, smooth) {
      const signature = signatureOf(frame, placement, smooth);
      if (ahead?.signature !== signature) ahead = resampled(frame, placement, smooth, signature);
      windowed(ahead, ramp);
    },
    clear() {
      sampled = null;
      clear();
    },
    resized() {
      sampled = ahead = null;
    },
    pixels() {
      return new Uint8ClampedArray(context.getImageData(0, 0, canvas.width, canvas.height).data);
    },
    destroy() {
      sampled = ahead = null;
    },
  };
}
