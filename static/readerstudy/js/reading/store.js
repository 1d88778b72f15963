/**
 * Where answers wait until the server has them: IndexedDB, or memory where the browser offers none.
 *
 * @typedef {{sequence?: number, owner: string, key: string, body: any, held: {kind: string, reply: any} | null}} Entry
 */

const OPEN_LIMIT_MS = 3000;
const LEASE_MS = 30000;

/** @param {IDBRequest} request @returns {Promise<any>} */
const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
const committed = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("The browser could not keep the answer."));
  });

class IndexedDbStore {
  durable = true;
  #database;

  /** @param {IDBDatabase} database */
  constructor(database) {
    this.#database = database;
    database.onversionchange = () => database.close();
  }

  /** Resolves after the transaction is on disk. @param {Entry} entry */
  async add(entry) {
    const transaction = this.#write("answers");
    const sequence = settled(transaction.objectStore("answers").add(entry));
    await committed(transaction);
    return sequence;
  }

  /** @param {Entry} entry */
  async update(entry) {
    const transaction = this.#write("answers");
    transaction.objectStore("answers").put(entry);
    await committed(transaction);
  }

  /** @param {number} sequence */
  async remove(sequence) {
    const transaction = this.#write("answers");
    transaction.objectStore("answers").delete(sequence);
    await committed(transaction);
  }

  /** In the order given. @param {string} owner @returns {Promise<Entry[]>} */
  async all(owner) {
    const store = this.#database.transaction("answers").objectStore("answers");
    const entries = await settled(store.getAll());
    return entries.filter((entry) => entry.owner === owner);
  }

  /** One tab at a time where there are no Web Locks; the transaction makes the test-and-set atomic. @param {string} tab */
  async takeLease(tab) {
    const transaction = this.#write("leases");
    const store = transaction.objectStore("leases");
    const lease = await settled(store.get("flusher"));
    const free = !lease || lease.tab === tab || lease.until < Date.now() || lease.until > Date.now() + 2 * LEASE_MS;
    if (free) store.put({ name: "flusher", tab, until: Date.now() + LEASE_MS });
    await committed(transaction);
    return free;
  }

  async dropLease() {
    const transaction = this.#write("leases");
    transaction.objectStore("leases").delete("flusher");
    await committed(transaction);
  }

  #write(name) {
    return this.#database.transaction(name, "readwrite", { durability: "strict" });
  }
}

export class MemoryStore {
  durable = false;
  /** @type {Map<number, Entry>} */
  #entries = new Map();
  #last = 0;

  async add(entry) {
    this.#entries.set(++this.#last, { ...entry, sequence: this.#last });
    return this.#last;
  }

  async update(entry) {
    this.#entries.set(entry.sequence, entry);
  }

  async remove(sequence) {
    this.#entries.delete(sequence);
  }

  async all(owner) {
    return [...this.#entries.values()].filter((entry) => entry.owner === owner);
  }

  async takeLease() {
    return true;
  }

  async dropLease() {}
}

function openDatabase() {
  const request = indexedDB.open("reading-answers", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("answers", { keyPath: "sequence", autoIncrement: true });
    request.result.createObjectStore("leases", { keyPath: "name" });
  };
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("IndexedDB does not open")), OPEN_LIMIT_MS));
  return Promise.race([settled(request), late]);
}

/** @returns {Promise<IndexedDbStore | MemoryStore>} */
export async function openStore() {
  try {
    return new IndexedDbStore(await openDatabase());
  } catch {
    return new MemoryStore();
  }
}
