/**
 * Resampling of a frame to device pixels for the canvas renderer; the shader in webgl.js does the same arithmetic.
 *
 * Smooth: a separable triangle filter, which is bilinear interpolation where the image is enlarged and an average without
 * aliasing where it is reduced; weights are renormalised at the border. Interpolation happens before the window.
 *
 * @typedef {{start: number, length: number, taps: number, first: Int32Array, weights: Float32Array}} Axis
 */

/** Pixel edges that fall exactly on a sample go to the same side in double and in single precision. */
export const NUDGE = 1 / 1024;

/**
 * The taps of every visible output pixel along one axis.
 * @param {number} extent output pixels @param {number} origin output position of the image's edge
 * @param {number} scale output pixels per image pixel @param {number} count image pixels @param {boolean} smooth @returns {Axis}
 */
export function axisTaps(extent, origin, scale, count, smooth) {
  const at = (pixel) => (pixel + 0.5 - origin) / scale;
  let start = Math.max(0, Math.floor(origin) - 1);
  while (start < extent && at(start) + NUDGE < 0) start++;
  let end = Math.min(extent, Math.ceil(origin + count * scale) + 1);
  while (end > start && at(end - 1) + NUDGE >= count) end--;
  const length = Math.max(0, end - start);
  const radius = Math.max(1, 1 / scale);
  const taps = smooth ? Math.ceil(2 * radius) : 1;
  const first = new Int32Array(length);
  const weights = new Float32Array(length * taps);
  for (let i = 0; i < length; i++) {
    if (smooth) first[i] = triangle(at(start + i) - 0.5, radius, count, taps, weights.subarray(i * taps, (i + 1) * taps));
    else {
      first[i] = Math.min(count - 1, Math.max(0, Math.floor(at(start + i) + NUDGE)));
      weights[i] = 1;
    }
  }
  return { start, length, taps, first, weights };
}

function triangle(centre, radius, count, taps, weights) {
  const lowest = Math.floor(centre - radius) + 1;
  const first = Math.max(0, Math.min(lowest, count - taps));
  let sum = 0;
  for (let tap = 0; tap < taps; tap++) {
    const index = first + tap;
    if (index < 0 || index >= count) continue;
    weights[tap] = Math.max(0, 1 - Math.abs(index - centre) / radius);
    sum += weights[tap];
  }
  for (let tap = 0; tap < taps; tap++) weights[tap] /= sum;
  return first;
}

/**
 * Stored values at every visible device pixel.
 * @param {Uint16Array} pixels @param {number} columns @param {Axis} across @param {Axis} down @returns {Float32Array}
 */
export function resample(pixels, columns, across, down) {
  const values = new Float32Array(across.length * down.length);
  if (!values.length) return values;
  if (across.taps === 1 && down.taps === 1) return nearest(pixels, columns, across, down, values);
  const top = down.first[0];
  const bottom = Math.min(pixels.length / columns, down.first[down.length - 1] + down.taps);
  const lines = acrossLines(pixels, columns, across, top, bottom);
  for (let y = 0, out = 0; y < down.length; y++) {
    for (let tap = 0; tap < down.taps; tap++) {
      const weight = down.weights[y * down.taps + tap];
      if (!weight) continue;
      let line = (down.first[y] + tap - top) * across.length;
      for (let x = 0; x < across.length; x++) values[out + x] += lines[line++] * weight;
    }
    out += across.length;
  }
  return values;
}

function nearest(pixels, columns, across, down, values) {
  for (let y = 0, out = 0; y < down.length; y++) {
    const row = down.first[y] * columns;
    for (let x = 0; x < across.length; x++) values[out++] = pixels[row + across.first[x]];
  }
  return values;
}

function acrossLines(pixels, columns, across, top, bottom) {
  const { length, taps, first, weights } = across;
  const lines = new Float32Array((bottom - top) * length);
  for (let row = top, out = 0; row < bottom; row++) {
    const start = row * columns;
    for (let x = 0; x < length; x++) {
      let sum = 0;
      for (let tap = 0; tap < taps; tap++) {
        const weight = weights[x * taps + tap];
        if (weight) sum += pixels[start + first[x] + tap] * weight;
      }
      lines[out++] = sum;
    }
  }
  return lines;
}
