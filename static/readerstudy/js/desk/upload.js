/**
 * The page that uploads scans: what was chosen, the form, the progress, and the import that follows.
 *
 * The names of the files stay in this tab: the report of the import shows them as long as it lives.
 */

import { fromDrop, fromInput, inOrder, match, recognise } from "./upload-files.js";
import { keepNames } from "./upload-names.js";
import { Sender } from "./upload-sender.js";
import { Server } from "./upload-server.js";

const POLL_MS = 1000;
const SAY_EVERY_MS = 10_000;
const ZIP_ALONE = "Send a zip by itself, without other files beside it: unpack it, or upload it alone.";

/** @param {number} bytes */
function amount(bytes) {
  const [unit, name] = [[2 ** 30, "GB"], [2 ** 20, "MB"], [2 ** 10, "KB"]].find(([unit]) => bytes >= Number(unit)) ?? [1, "bytes"];
  return `${(bytes / Number(unit)).toFixed(Number(unit) > 1 ? 1 : 0)} ${name}`;
}

/** @param {number} seconds */
function duration(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** @param {number} count */
function files(count) {
  return count === 1 ? "1 file" : `${count} files`;
}

/** @param {number} ms */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The card that shows an upload under way. */
class Panel {
  #root;
  #bar;
  #said = 0;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    this.#bar = /** @type {HTMLProgressElement} */ (root.querySelector("progress"));
  }

  /** @param {string} name */
  part(name) {
    return /** @type {HTMLElement} */ (this.#root.querySelector(`[data-part="${name}"]`));
  }

  /** @param {string} state @param {string} title */
  show(state, title) {
    const before = this.#root.dataset.state;
    this.#root.hidden = false;
    this.#root.dataset.state = state;
    this.part("title").textContent = title;
    this.part("pause").textContent = state === "paused" ? "Go on" : "Pause";
    this.part("pause").hidden = !["sending", "waits", "paused"].includes(state);
    this.part("read").hidden = !["finishing", "importing"].includes(state);
    this.part("sent").hidden = !this.part("read").hidden;
    this.part("again").hidden = state !== "failed";
    this.part("figures").hidden = !["sending", "waits", "paused"].includes(state);
    if (before !== state) this.say(title);
  }

  /** @param {string} sentence @param {"warn" | "bad"} kind */
  notice(sentence, kind = "warn") {
    const place = this.part("notice");
    place.hidden = !sentence;
    place.textContent = sentence;
    place.className = `notice notice--${kind}`;
  }

  /** What a screen reader hears; the figures themselves change too often. @param {string} sentence */
  say(sentence) {
    this.#said = performance.now();
    this.part("said").textContent = sentence;
  }

  /** @param {number} done @param {number} of */
  fill(done, of) {
    this.#bar.max = of || 1;
    this.#bar.value = done;
  }

  /** @param {Sender} sender */
  figures(sender) {
    this.fill(sender.bytesHere, sender.bytes);
    const left = sender.rate ? duration((sender.bytes - sender.bytesHere) / sender.rate) : "–";
    this.part("files").textContent = `${sender.filesHere} / ${sender.files}`;
    this.part("bytes").textContent = `${amount(sender.bytesHere)} / ${amount(sender.bytes)}`;
    this.part("rate").textContent = sender.rate ? `${amount(sender.rate)}/s` : "–";
    this.part("left").textContent = left;
    if (performance.now() - this.#said > SAY_EVERY_MS) this.say(`${sender.filesHere} of ${files(sender.files)} sent, ${left} left`);
  }
}

class UploadPage {
  #form = /** @type {HTMLFormElement} */ (document.getElementById("upload-form"));
  #panel = new Panel(/** @type {HTMLElement} */ (document.getElementById("upload-panel")));
  #dialog = /** @type {HTMLDialogElement} */ (document.getElementById("upload-give-up"));
  #server;
  #most;
  /** @type {import("./upload-files.js").Chosen[]} */
  #chosen = [];
  /** @type {Sender | null} */
  #sender = null;
  #id = "";
  /** Paths by number, for the report. @type {string[]} */
  #names = [];

  constructor() {
    const token = /** @type {HTMLInputElement} */ (this.#form.elements.namedItem("csrfmiddlewaretoken")).value;
    this.#server = new Server(this.#form.dataset.uploads ?? "", token);
    this.#most = Number(this.#form.dataset.piece);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
    });
    this.#pickers(this.#form, (chosen) => this.#choose(chosen));
    for (const card of document.querySelectorAll("[data-upload]")) this.#open(/** @type {HTMLElement} */ (card));
    this.#panel.part("pause").addEventListener("click", () => (this.#sender?.paused ? this.#sender.resume() : this.#sender?.pause()));
    this.#panel.part("again").addEventListener("click", () => this.#finish());
    this.#panel.part("give-up").addEventListener("click", () => this.#giveUp(this.#id));
  }

  /** Files come by an input or by a drop. @param {HTMLElement} box @param {(chosen: import("./upload-files.js").Chosen[]) => void} take */
  #pickers(box, take) {
    for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (box.querySelectorAll("input[type=file]"))) {
      input.classList.add("visually-hidden");
      input.labels?.[0].classList.add("button");
      const chosen = () => {
        if (input.files?.length) take(fromInput(input.files));
        // The form is sent by this script, and the same folder chosen again must be a change again.
        input.value = "";
      };
      input.addEventListener("change", chosen);
      // What was chosen before this script ran.
      if (input.files?.length) chosen();
    }
    const zone = /** @type {HTMLElement} */ (box.querySelector(".drop"));
    for (const [name, over] of /** @type {[string, boolean][]} */ ([["dragover", true], ["dragleave", false], ["drop", false]])) {
      zone.addEventListener(name, (event) => {
        event.preventDefault();
        zone.classList.toggle("drop--over", over);
      });
    }
    zone.addEventListener("drop", async (event) => {
      const dropped = /** @type {DragEvent} */ (event).dataTransfer;
      if (!dropped) return;
      try {
        take(await fromDrop(dropped));
      } catch (error) {
        this.#refuse(error instanceof Error ? error.message : String(error));
      }
    });
  }

  /** @param {import("./upload-files.js").Chosen[]} chosen */
  #choose(chosen) {
    const { files: kept, leftOut, bytes } = inOrder(chosen);
    this.#chosen = kept;
    const folder = kept[0]?.path.includes("/") ? ` in “${kept[0].path.split("/")[0]}”` : "";
    const without = leftOut ? `, without ${leftOut === 1 ? "1 system file" : `${leftOut} system files`}` : "";
    const place = /** @type {HTMLElement} */ (document.getElementById("upload-chosen"));
    place.textContent = kept.length ? `${files(kept.length)}${folder}, ${amount(bytes)}${without}` : "There is no file in it.";
    this.#refuse("");
  }

  /** @param {string} sentence @param {string[]} fields names of the form's fields that it is about */
  #refuse(sentence, fields = []) {
    const place = /** @type {HTMLElement} */ (document.getElementById("upload-refused"));
    place.textContent = sentence;
    place.hidden = !sentence;
    this.#panelHidden(true);
    for (const input of this.#form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    const inputs = fields.map((name) => this.#form.elements.namedItem(name)).filter((one) => one instanceof HTMLElement);
    for (const input of inputs) {
      input.setAttribute("aria-invalid", "true");
      input.closest("details")?.setAttribute("open", "");
    }
    if (sentence) (inputs[0] ?? place).focus();
  }

  /** @param {boolean} hidden */
  #panelHidden(hidden) {
    /** @type {HTMLElement} */ (document.getElementById("upload-panel")).hidden = hidden;
    /** @type {HTMLElement} */ (document.getElementById("upload-start")).hidden = !hidden;
    const open = document.getElementById("upload-open");
    if (open) open.hidden = !hidden;
    if (!hidden) this.#panel.part("title").focus();
  }

  async #begin() {
    const { bytes } = inOrder(this.#chosen);
    if (!this.#chosen.length) return this.#refuse("Choose a folder, files or one zip first.");
    if (this.#chosen.length > Number(this.#form.dataset.files))
      return this.#refuse(`There are ${this.#chosen.length} files, and ${this.#form.dataset.files} may come at once: upload a part, or one zip.`);
    if (bytes > Number(this.#form.dataset.bytes))
      return this.#refuse(`The files have ${amount(bytes)}, and ${amount(Number(this.#form.dataset.bytes))} may come at once: upload them in parts.`);
    const known = await this.#recognise(this.#chosen);
    if (!known) return;
    if (known.length > 1 && known.some(({ zip }) => zip)) return this.#refuse(ZIP_ALONE);
    const values = Object.fromEntries([...new FormData(this.#form)].filter(([name, value]) => typeof value === "string" && name !== "csrfmiddlewaretoken"));
    const outcome = await this.#server.begin({ ...values, files: known.map(({ file, print }) => [file.size, print]) });
    if (outcome.kind !== "done") return this.#refuse(outcome.sentence, outcome.reply.fields);
    const entries = known.map(({ file, path }, place) => ({ number: place + 1, size: file.size, here: 0, file, path }));
    await this.#send(outcome.reply.id, entries);
  }

  /** @param {import("./upload-files.js").Chosen[]} chosen */
  async #recognise(chosen) {
    this.#panelHidden(false);
    this.#panel.notice("");
    this.#panel.show("looking", `Looking at ${files(chosen.length)}`);
    this.#panel.part("give-up").hidden = true;
    try {
      return await recognise(chosen, (done) => this.#panel.fill(done, chosen.length));
    } catch (error) {
      this.#refuse(error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  /** @param {string} id @param {import("./upload-sender.js").Entry[]} entries */
  async #send(id, entries) {
    this.#id = id;
    this.#names = entries.map(({ path }) => path);
    const sender = (this.#sender = new Sender(this.#server, id, entries, this.#most));
    sender.onProgress = () => this.#panel.figures(sender);
    sender.onTrouble = (kind, sentence, seconds) => this.#trouble(kind, sentence, seconds);
    this.#panel.part("give-up").hidden = false;
    this.#trouble("runs", "", 0);
    this.#panel.figures(sender);
    try {
      if (await sender.run()) await this.#finish();
    } catch (error) {
      this.#panel.show("stopped", "The upload stopped");
      this.#panel.notice(`${error instanceof Error ? error.message : error} Reload this page to choose the files again; what has arrived is kept.`, "bad");
    }
  }

  /** @param {"waits" | "paused" | "runs"} kind @param {string} sentence @param {number} seconds */
  #trouble(kind, sentence, seconds) {
    if (kind !== "runs" || !this.#sender?.paused) {
      const titles = { waits: "Waiting for the server", paused: "Paused", runs: "Uploading" };
      this.#panel.show(kind === "runs" ? "sending" : kind, titles[kind]);
    }
    this.#panel.notice(kind === "waits" ? `${sentence} The next try is in ${seconds} s; nothing is lost.` : sentence);
    if (sentence) this.#panel.say(sentence);
  }

  /** Hands in the import, again where that failed, and follows it to its report. */
  async #finish() {
    this.#panel.notice("");
    this.#panel.show("finishing", "All files are at the server");
    for (let failures = 0; ; failures++) {
      const outcome = await this.#server.finish(this.#id);
      if (outcome.kind === "done") break;
      this.#panel.notice(outcome.sentence, outcome.kind === "again" ? "warn" : "bad");
      if (outcome.kind !== "again") return this.#panel.show("failed", "The import could not begin");
      await sleep(Math.min(30, 2 ** failures) * 1000);
    }
    const reply = await this.#follow(this.#id, (now) => this.#importing(now));
    if (reply?.state !== "done") {
      this.#panel.show("failed", reply ? "The import failed" : "The import goes on at the server");
      return this.#panel.notice(reply?.reason ?? "You are signed out: sign in again and look at the list of imports.", "bad");
    }
    keepNames(reply.batch, this.#names);
    location.assign(reply.report);
  }

  /** @param {any} now */
  #importing(now) {
    this.#panel.show("importing", now.state === "waiting" ? "Waiting for a worker" : "Reading the scans");
    this.#panel.notice(now.worker ? "" : "No worker runs: start one with “manage.py up” or “manage.py worker”.");
    if (now.share) this.#panel.fill(now.share, 1);
    else this.#panel.part("bar").removeAttribute("value");
  }

  /** Asks until the import is over. @param {string} id @param {(now: any) => void} tell @returns {Promise<any>} */
  async #follow(id, tell) {
    for (;;) {
      const { kind, reply } = await this.#server.status(id);
      if (kind === "refused" || kind === "login") return null;
      if (kind === "done") {
        if (!["waiting", "importing"].includes(reply.state)) return reply;
        tell(reply);
      }
      await sleep(POLL_MS);
    }
  }

  /** A card of an upload begun earlier. @param {HTMLElement} card */
  async #open(card) {
    const id = card.dataset.upload ?? "";
    const controls = /** @type {HTMLElement} */ (card.querySelector("[data-part=controls]"));
    controls.hidden = false;
    card.querySelector("[data-part=give-up]")?.addEventListener("click", () => this.#giveUp(id));
    card.querySelector("[data-part=again]")?.addEventListener("click", () => this.#resumeImport(id));
    if (card.dataset.state === "receiving") this.#pickers(card, (chosen) => this.#resume(id, chosen));
    if (!["waiting", "importing"].includes(card.dataset.state ?? "")) return;
    const bar = /** @type {HTMLProgressElement} */ (card.querySelector("progress"));
    const reply = await this.#follow(id, (now) => {
      bar.value = now.share;
    });
    if (reply && this.#id !== id) location.reload();
  }

  /** @param {string} id */
  #resumeImport(id) {
    this.#id = id;
    this.#panelHidden(false);
    this.#finish();
  }

  /** @param {string} id @param {import("./upload-files.js").Chosen[]} chosen */
  async #resume(id, chosen) {
    const known = await this.#recognise(inOrder(chosen).files);
    if (!known) return;
    const { kind, reply, sentence } = await this.#server.status(id, true);
    if (kind !== "done") return this.#refuse(sentence);
    if (!reply.entries) return location.reload();
    const { found, missing } = match(reply.entries, known);
    if (missing)
      return this.#refuse(`${missing} of the ${files(found.length)} of this upload are not among those chosen: choose the same folder as it was, or give the upload up.`);
    await this.#send(id, found);
  }

  /** @param {string} id */
  #giveUp(id) {
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    this.#dialog.addEventListener("close", async () => {
      if (this.#dialog.returnValue !== "yes") return;
      if (id === this.#id) this.#sender?.stop();
      const outcome = await this.#server.giveUp(id);
      if (outcome.kind === "done") location.reload();
      else this.#panel.notice(outcome.sentence, "bad");
    }, { once: true });
  }
}

if (document.getElementById("upload-form")) new UploadPage();
