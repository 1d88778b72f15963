/** A loader of raw little-endian uint16 frames for Cornerstone3D, and the metadata it asks for. */

import { Enums, cache, imageLoader, metaData } from "@cornerstonejs/core";

const { MetadataModules } = Enums;
const PIXELS = {
  pixelRepresentation: 0,
  bitsAllocated: 16,
  bitsStored: 16,
  highBit: 15,
  samplesPerPixel: 1,
  photometricInterpretation: "MONOCHROME2",
};

/** @type {Map<string, any>} */
const images = new Map();

export function registerLoader() {
  imageLoader.registerImageLoader("frame", (id) => ({ promise: Promise.resolve(images.get(id)) }));
  metaData.addProvider(describe);
}

/** @param {string} id @param {Uint16Array} pixels @param {any} meta */
export function keep(id, pixels, meta) {
  images.set(id, imageOf(id, pixels, meta));
}

/** @param {string} id */
export function forget(id) {
  images.delete(id);
  if (cache.getImageLoadObject(id)) cache.removeImageLoadObject(id);
}

function describe(type, id) {
  const image = images.get(id);
  if (!image) return undefined;
  if (type === MetadataModules.IMAGE_PIXEL) return PIXELS;
  if (type === MetadataModules.GENERAL_SERIES) return { modality: "CT" };
  if (type !== MetadataModules.IMAGE_PLANE) return undefined;
  const { rows, columns, rowPixelSpacing, columnPixelSpacing } = image;
  return {
    rows,
    columns,
    rowPixelSpacing,
    columnPixelSpacing,
    rowCosines: [1, 0, 0],
    columnCosines: [0, 1, 0],
    imageOrientationPatient: [1, 0, 0, 0, 1, 0],
    imagePositionPatient: [0, 0, 0],
    frameOfReferenceUID: "1",
  };
}

/** Cornerstone3D's image object around stored values. */
function imageOf(imageId, pixels, meta) {
  let [minPixelValue, maxPixelValue] = [65535, 0];
  for (const value of pixels) {
    if (value < minPixelValue) minPixelValue = value;
    if (value > maxPixelValue) maxPixelValue = value;
  }
  const [rowPixelSpacing, columnPixelSpacing] = meta.spacing ?? [1, 1];
  const { rows, columns } = meta;
  return {
    imageId, minPixelValue, maxPixelValue, rows, columns, rowPixelSpacing, columnPixelSpacing,
    slope: 1, intercept: 0, windowCenter: 32768, windowWidth: 65536, voiLUTFunction: "LINEAR_EXACT",
    height: rows, width: columns, color: false, rgba: false, invert: false, numberOfComponents: 1,
    sizeInBytes: pixels.byteLength, dataType: "Uint16Array", getPixelData: () => pixels,
    imageFrame: { photometricInterpretation: PIXELS.photometricInterpretation },
  }; // prettier-ignore
}
