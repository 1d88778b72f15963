/**
 * Where an image lies on its canvas.
 *
 * Image coordinates: pixel (column c, row r) covers [c, c+1) x [r, r+1), so its centre is (c + 0.5, r + 0.5).
 * Canvas coordinates: device pixels from the top left corner. `zoom` is device pixels per image pixel along the
 * finer axis; `pan` is the image point in the middle of the canvas, counted from the middle of the image.
 *
 * @typedef {{rows: number, columns: number, spacing: [number, number] | null}} Geometry  spacing: mm between rows, columns
 * @typedef {{width: number, height: number}} Size  device pixels
 * @typedef {{zoom: number, pan: [number, number]}} View
 * @typedef {{left: number, top: number, scaleX: number, scaleY: number}} Placement
 */

const LARGEST_ZOOM = 64;
const SMALLEST_OF_FIT = 0.25;

/** Stretch of each axis that makes pixels as long on the screen as in the body. @param {Geometry} geometry */
export function stretch({ spacing }) {
  if (!spacing || !(spacing[0] > 0) || !(spacing[1] > 0)) return { x: 1, y: 1 };
  const finer = Math.min(spacing[0], spacing[1]);
  return { x: spacing[1] / finer, y: spacing[0] / finer };
}

/** The zoom at which the whole image just fits. @param {Geometry} geometry @param {Size} size */
export function fitZoom(geometry, size) {
  const { x, y } = stretch(geometry);
  return Math.max(1e-3, Math.min(size.width / (geometry.columns * x), size.height / (geometry.rows * y)));
}

/** @param {number} zoom @param {Geometry} geometry @param {Size} size */
export function clampZoom(zoom, geometry, size) {
  return Math.min(LARGEST_ZOOM, Math.max(SMALLEST_OF_FIT * fitZoom(geometry, size), zoom));
}

/** @param {View} view @param {Geometry} geometry @param {Size} size @returns {Placement} */
export function place(view, geometry, size) {
  const { x, y } = stretch(geometry);
  const scaleX = view.zoom * x;
  const scaleY = view.zoom * y;
  return {
    left: size.width / 2 - (geometry.columns / 2 + view.pan[0]) * scaleX,
    top: size.height / 2 - (geometry.rows / 2 + view.pan[1]) * scaleY,
    scaleX,
    scaleY,
  };
}

/** @param {Placement} placement @param {number} x @param {number} y */
export function toImage(placement, x, y) {
  return { x: (x - placement.left) / placement.scaleX, y: (y - placement.top) / placement.scaleY };
}

/** @param {Placement} placement @param {number} x @param {number} y */
export function toCanvas(placement, x, y) {
  return { x: placement.left + x * placement.scaleX, y: placement.top + y * placement.scaleY };
}

/**
 * The view after zooming by `factor` with the image point under (x, y) held still.
 * @param {View} view @param {Geometry} geometry @param {Size} size @param {number} x @param {number} y
 * @param {number} factor @returns {View}
 */
export function zoomAbout(view, geometry, size, x, y, factor) {
  const held = toImage(place(view, geometry, size), x, y);
  const zoom = clampZoom(view.zoom * factor, geometry, size);
  const axes = stretch(geometry);
  return {
    zoom,
    pan: [
      held.x - (x - size.width / 2) / (zoom * axes.x) - geometry.columns / 2,
      held.y - (y - size.height / 2) / (zoom * axes.y) - geometry.rows / 2,
    ],
  };
}

/** The view after dragging the image by (dx, dy) device pixels; its middle never leaves the image.
 * @param {View} view @param {Geometry} geometry @param {number} dx @param {number} dy @returns {View} */
export function panBy(view, geometry, dx, dy) {
  const { x, y } = stretch(geometry);
  return { zoom: view.zoom, pan: clampPan([view.pan[0] - dx / (view.zoom * x), view.pan[1] - dy / (view.zoom * y)], geometry) };
}

/** @param {[number, number]} pan @param {Geometry} geometry @returns {[number, number]} */
export function clampPan(pan, geometry) {
  const within = (value, extent) => Math.min(extent / 2, Math.max(-extent / 2, value));
  return [within(pan[0], geometry.columns), within(pan[1], geometry.rows)];
}

/** One image pixel on one device pixel, shifted by less than a pixel so that the two grids coincide.
 * @param {View} view @param {Geometry} geometry @param {Size} size @returns {View} */
export function oneToOne(view, geometry, size) {
  const { x, y } = stretch(geometry);
  const { left, top } = place({ zoom: 1, pan: view.pan }, geometry, size);
  return {
    zoom: 1,
    pan: [view.pan[0] + (left - Math.round(left)) / x, view.pan[1] + (top - Math.round(top)) / y],
  };
}
