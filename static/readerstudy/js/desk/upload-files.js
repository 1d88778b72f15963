/**
 * The files that a person chose: found in folders, put in order, and known again by a fingerprint.
 *
 * Paths stay in this browser: the server gets numbers, sizes and fingerprints.
 *
 * @typedef {{path: string, file: File}} Chosen
 * @typedef {{path: string, file: File, print: string, zip: boolean}} Known
 */

const END_BYTES = 64 * 1024;
const AT_ONCE = 4;
const PRINT_BYTES = 16;
/** What operating systems leave in folders. */
const SYSTEM_FILE = /(^|\/)(\.[^/]*|thumbs\.db|desktop\.ini|__MACOSX\/.*)$/i;

/** A file that was moved, changed or unplugged since it was chosen. */
export class Unreadable extends Error {
  /** @param {string} path */
  constructor(path) {
    super(`${path} can't be read any more: put it back as it was and choose the same files again.`);
  }
}

/** @param {Iterable<File>} files of an input @returns {Chosen[]} */
export function fromInput(files) {
  return [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** The files below everything that was dropped. @param {DataTransfer} dropped @returns {Promise<Chosen[]>} */
export async function fromDrop(dropped) {
  // The list is empty as soon as the event is over, so all entries are taken before the first wait.
  const entries = [...dropped.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null && entry !== undefined);
  if (!entries.length) return fromInput(dropped.files);
  return (await Promise.all(entries.map(below))).flat();
}

/** @param {any} entry @returns {Promise<Chosen[]>} */
async function below(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(() => {
      throw new Unreadable(entry.name);
    });
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = entry.createReader();
  /** @type {Chosen[]} */
  const found = [];
  // A browser gives a hundred at a time and an empty list at the end.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const one of some) found.push(...(await below(one)));
  }
}

/** In the order of their paths, without what operating systems add. @param {Chosen[]} chosen */
export function inOrder(chosen) {
  const files = chosen.filter(({ path }) => !SYSTEM_FILE.test(path));
  files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return { files, leftOut: chosen.length - files.length, bytes: files.reduce((sum, { file }) => sum + file.size, 0) };
}

/** Fingerprints of all files. @param {Chosen[]} files @param {(done: number) => void} progress @returns {Promise<Known[]>} */
export async function recognise(files, progress) {
  /** @type {Known[]} */
  const known = new Array(files.length);
  let next = 0, done = 0;
  async function lane() {
    while (next < files.length) {
      const at = next++;
      known[at] = { ...files[at], ...(await look(files[at])) };
      progress(++done);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return known;
}

/** @param {Chosen} chosen */
async function look({ path, file }) {
  try {
    const short = file.size <= 2 * END_BYTES;
    const ends = short ? file : new Blob([file.slice(0, END_BYTES), file.slice(-END_BYTES)]);
    const bytes = new Uint8Array(await ends.arrayBuffer());
    const zip = bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
    return { print: hex(await digest(bytes)), zip };
  } catch {
    throw new Unreadable(path);
  }
}

/** @param {Uint8Array} bytes */
async function digest(bytes) {
  // A page without https outside this machine has no SHA-256; there a plain checksum tells files apart.
  if (!globalThis.crypto?.subtle) return checksum(bytes);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", /** @type {any} */ (bytes))).slice(0, PRINT_BYTES);
}

/** Four FNV-1a sums, each of every fourth byte. @param {Uint8Array} bytes */
function checksum(bytes) {
  const sums = new Uint32Array(4).fill(0x811c9dc5);
  for (let at = 0; at < bytes.length; at++) sums[at & 3] = Math.imul(sums[at & 3] ^ bytes[at], 0x01000193);
  return new Uint8Array(sums.buffer);
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Which chosen file is which of an upload: by size and fingerprint, equal ones in the order of their paths.
 *
 * @param {[number, number, string][]} entries size, bytes at the server and fingerprint by number
 * @param {Known[]} known
 */
export function match(entries, known) {
  /** @type {Map<string, Known[]>} */
  const offered = new Map();
  for (const one of known) {
    const key = `${one.file.size}:${one.print}`;
    offered.set(key, [...(offered.get(key) ?? []), one]);
  }
  const found = entries.map(([size, here, print], place) => {
    const one = offered.get(`${size}:${print}`)?.shift();
    return { number: place + 1, size, here, file: one?.file, path: one?.path ?? "" };
  });
  return { found, missing: found.filter(({ file, here, size }) => !file && here < size).length };
}
