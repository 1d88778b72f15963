/**
 * Sends one answer and says what became of it.
 *
 * @typedef {"stored" | "conflict" | "closed" | "refused" | "login" | "unreachable" | "paused"} Kind
 * @typedef {{kind: Kind, reply: any}} Outcome
 */

const ANSWER_LIMIT_MS = 15000;

/** @type {Record<number, Kind>} */
const KINDS = { 200: "stored", 400: "refused", 409: "conflict", 413: "refused", 422: "refused", 423: "closed", 401: "login", 404: "login" };

/** @param {{answer: string, csrf: string}} urls @param {string} firstToken */
export function createSender(urls, firstToken) {
  let token = firstToken;

  async function request(url, options) {
    const given = { credentials: "same-origin", redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(ANSWER_LIMIT_MS) };
    return fetch(url, /** @type {RequestInit} */ ({ ...given, ...options }));
  }

  /** A new sign-in has a new token. @returns {Promise<boolean>} whether somebody is signed in */
  async function renewToken() {
    const response = await request(urls.csrf, { headers: { Accept: "application/json" } });
    if (response.status !== 200) return false;
    const reply = await response.json();
    token = reply.token;
    return reply.signed_in === true;
  }

  /** @param {any} body @returns {Promise<Outcome>} */
  async function post(body) {
    const headers = { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token };
    const response = await request(urls.answer, { method: "POST", headers, body: JSON.stringify(body) });
    if (response.type === "opaqueredirect") return { kind: "login", reply: {} };
    if (response.status === 403) return { kind: "login", reply: { forbidden: true } };
    const reply = await response.json().catch(() => ({}));
    if (response.status === 503 && reply.paused === true) return { kind: "paused", reply };
    const kind = KINDS[response.status] ?? "unreachable";
    // A proxy's page with status 200 is not the server's word that the answer is stored.
    if (kind === "stored" && !(reply.stored === true && reply.key === body.key)) return { kind: "unreachable", reply };
    return { kind, reply };
  }

  /** @param {any} body @returns {Promise<Outcome>} */
  return async function send(body) {
    try {
      const outcome = await post(body);
      if (outcome.kind !== "login" || !(await renewToken())) return outcome;
      return await post(body);
    } catch {
      return { kind: "unreachable", reply: {} };
    }
  };
}
