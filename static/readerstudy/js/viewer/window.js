/**
 * Window and level: grey = (value - (center - width / 2)) / width, cut to 0..1 (the exact linear function of DICOM
 * PS3.3 C.11.2.1.3.2), with value = intercept + slope * stored.
 *
 * @typedef {{center: number, width: number}} Window  in physical values (HU for CT)
 * @typedef {{gain: number, offset: number}} Ramp  grey = stored * gain + offset
 */

const DRAG_ACROSS = 320;

/** The straight line from stored values to grey 0..1. @param {Window} window @param {{slope: number, intercept: number}} scale
 * @param {boolean} inverted @returns {Ramp} */
export function ramp({ center, width }, { slope, intercept }, inverted) {
  const gain = slope / width;
  const offset = (intercept - center) / width + 0.5;
  return inverted ? { gain: -gain, offset: 1 - offset } : { gain, offset };
}

/** Grey level 0..255 of a stored value. @param {number} stored @param {Ramp} ramp */
export function greyLevel(stored, { gain, offset }) {
  return Math.floor(Math.min(1, Math.max(0, stored * gain + offset)) * 255 + 0.5);
}

/** No narrower than one stored step. @param {Window} window @param {number} slope @returns {Window} */
export function clampWindow({ center, width }, slope) {
  const step = Math.abs(slope) || 1;
  return { center: Math.min(65535 * step * 2, Math.max(-65535 * step * 2, center)), width: Math.min(65535 * step * 2, Math.max(step, width)) };
}

/**
 * The window after a drag of (dx, dy) CSS pixels: right widens, down darkens. The speed follows the image's own window,
 * so that CT, MR and ultrasound feel alike.
 * @param {Window} start @param {Window} own @param {number} dx @param {number} dy @returns {Window}
 */
export function dragWindow(start, own, dx, dy) {
  const speed = own.width / DRAG_ACROSS;
  return { center: start.center + dy * speed, width: start.width + dx * speed };
}
