/** The reading room: shows one image after the other and takes the scores. The page's only entry point. */

import { Clock } from "./clock.js";
import { Disputes } from "./disputes.js";
import { Frames, Gone } from "./frames.js";
import { listenToKeys } from "./keyboard.js";
import { newKey, Outbox } from "./outbox.js";
import { Panel } from "./panel.js";
import { createSender } from "./sender.js";
import { Session } from "./session.js";
import { Stage } from "./stage.js";
import { find, Status } from "./status.js";
import { openStore } from "./store.js";
import { text } from "./texts.js";
import { Tools } from "./tools.js";

const TOO_FAST_MS = 500;

class Room {
  #room;
  #session;
  #outbox;
  #disputes;
  #status = new Status();
  #clock = new Clock();
  #stage;
  #tools;
  #panel;
  #frames = new Frames((trouble) => this.#frameTrouble(trouble));
  /** Nothing is scored before it is painted, and nothing twice. */
  #painted = false;
  #storing = false;
  #showing = 0;
  #unsent = 0;
  /** The sign-out form while it waits for the last scores to arrive. @type {HTMLFormElement | null} */
  #leaving = null;

  constructor(room, store) {
    this.#room = room;
    this.#session = new Session(room.items, room.criteria.map(({ key }) => key), room.display.back);
    const send = createSender(room.urls, document.querySelector('meta[name="csrf-token"]')?.getAttribute("content") ?? "");
    this.#outbox = new Outbox(store, room.urls.finish, send, (state) => this.#outboxChanged(state));
    this.#disputes = new Disputes(this.#outbox, this.#session, room.criteria, () => this.#resume());
    const options = {
      renderer: room.display.renderer ?? "auto",
      interpolation: room.display.interpolation,
      fixedWindow: room.display.window === "fixed",
      fixedZoom: room.display.zoom === "fixed",
    };
    this.#stage = new Stage(find("#stage"), options, (state) => this.#tools.show(state));
    this.#tools = new Tools(this.#stage, room.presets, room.display);
    const comment = /** @type {HTMLTextAreaElement} */ (find("#comment"));
    this.#panel = new Panel(find("#criteria"), comment, room.criteria, (value, key, byPointer) => {
      if (byPointer) this.#stage.focus();
      void this.#score({ value }, key);
    });
    this.#listen();
  }

  /** Puts the answers that still wait on this computer over those of the server, then shows the first open image. */
  async start() {
    for (const { body } of await this.#outbox.entries()) {
      this.#session.record(body.presentation, body.answers, body.key, body.comment);
    }
    this.#session.goTo(this.#session.frontier);
    void this.#outbox.flush();
    await this.#show();
  }

  #listen() {
    listenToKeys((action) => this.#perform(action));
    addEventListener("pointerup", () => this.#tools.settle());
    find("#back").addEventListener("click", () => this.#perform({ name: "back" }));
    find("#forward").addEventListener("click", () => this.#perform({ name: "go_on" }));
    find("#finish-back").addEventListener("click", () => this.#perform({ name: "back" }));
    find("#keys-button").addEventListener("click", () => this.#perform({ name: "keys" }));
    find("#cannot-judge").addEventListener("submit", (event) => this.#cannotJudge(event));
    for (const field of document.querySelectorAll("#comment, #reason")) {
      field.addEventListener("keydown", (event) => {
        if (/** @type {KeyboardEvent} */ (event).key === "Escape") this.#stage.focus();
      });
    }
    find("#sign-out").addEventListener("submit", (event) => this.#signOut(event));
    addEventListener("beforeunload", (event) => {
      if (this.#storing && !this.#outbox.durable) event.preventDefault();
    });
  }

  #perform(action) {
    const acts = {
      score: () => this.#score({ value: action.argument }),
      go_on: () => this.#goOn(),
      forward: () => this.#forward(),
      back: () => this.#back(),
      keys: () => /** @type {HTMLDialogElement} */ (find("#keys")).showModal(),
      cannot_judge: () => this.#open("#cannot-judge-box", "#reason"),
      comment: () => this.#open("#comment-box", "#comment"),
    };
    const act = acts[action.name];
    if (act) void act();
    else if (this.#painted) this.#tools.perform(action);
  }

  #open(box, field) {
    if (!this.#painted) return;
    /** @type {HTMLDetailsElement} */ (find(box)).open = true;
    find(field).focus();
  }

  get #ready() {
    return this.#painted && !this.#storing && this.#session.current !== null;
  }

  async #score(score, key) {
    if (!this.#ready || this.#session.current?.final) return;
    this.#panel.choose(score, key);
    if (this.#panel.single) await this.#goOn();
  }

  async #cannotJudge(event) {
    event.preventDefault();
    const reason = /** @type {HTMLInputElement} */ (find("#reason"));
    if (!reason.value.trim() || !this.#ready) return;
    const score = { cannot_judge: reason.value.trim() };
    reason.value = "";
    /** @type {HTMLDetailsElement} */ (find("#cannot-judge-box")).open = false;
    this.#stage.focus();
    await this.#score(score);
  }

  /** Stores what is chosen, if it is new, and only then moves on. */
  async #goOn() {
    if (!this.#ready) return;
    if (!this.#panel.complete) return this.#status.say(text("score_missing"));
    const item = this.#session.current;
    const given = this.#session.given(item);
    const same = given && JSON.stringify([given.scores, given.comment]) === JSON.stringify([this.#panel.scores, this.#panel.comment]);
    if (!same) await this.#store(item, given);
    await this.#forward();
  }

  async #store(item, given) {
    const { scores, comment } = this.#panel;
    const { center, width, zoom, pan, invert } = this.#stage.state();
    const times = this.#clock.read(this.#room.display.too_fast_ms ?? TOO_FAST_MS);
    const body = {
      key: newKey(),
      presentation: item.id,
      answers: scores,
      comment,
      replaces: given ? (given.key ?? true) : null,
      ...times,
      viewport: { center, width, zoom, pan, invert },
      window_changes: this.#tools.windowChanges,
    };
    this.#storing = true;
    try {
      await this.#outbox.add(body);
    } finally {
      this.#storing = false;
    }
    const refused = !this.#outbox.durable && (await this.#outbox.entries()).some(({ key, held }) => key === body.key && held);
    if (!refused) this.#session.record(item.id, scores, body.key, comment);
    const hurried = times.too_fast && this.#room.display.back > 0;
    this.#status.say(hurried ? text("too_fast", { n: item.position, seconds: (times.elapsed_ms / 1000).toFixed(1) }) : "");
  }

  async #forward() {
    if (this.#storing || !this.#session.canGoOn) return;
    this.#session.goOn();
    await this.#show();
  }

  async #back() {
    if (this.#storing || !this.#session.canGoBack) return;
    this.#status.say("");
    this.#session.goBack();
    await this.#show();
  }

  /** After a refused answer its image is open again. */
  async #resume() {
    const { frontier, at } = this.#session;
    this.#session.goTo(Math.min(at, frontier));
    await this.#show();
  }

  async #show() {
    const turn = ++this.#showing;
    const item = this.#session.current;
    this.#painted = false;
    this.#place(item);
    if (!item) return;
    const given = this.#session.given(item);
    this.#panel.start(given?.scores ?? {}, given?.comment ?? "");
    const dark = this.#room.display.dark_interval_ms;
    const note = find("#stage-note");
    if (dark || !this.#frames.ready(item)) {
      this.#stage.blank();
      note.textContent = dark && this.#frames.ready(item) ? "" : text("loading");
    }
    const rested = dark ? new Promise((resolve) => setTimeout(resolve, dark)) : null;
    try {
      const panes = await this.#frames.get(this.#session.items, this.#session.at);
      await rested;
      if (turn !== this.#showing) return;
      note.textContent = "";
      this.#status.frameNeedsLogin(false);
      await this.#stage.show(item, panes, text("image_name", { n: item.position, of: this.#session.items.length }));
    } catch (error) {
      if (error instanceof Gone && turn === this.#showing) note.textContent = text("image_gone");
      else if (turn === this.#showing) throw error;
      return;
    }
    if (turn !== this.#showing) return;
    this.#clock.start();
    this.#tools.start(item);
    this.#painted = true;
    document.body.dataset.painted = item.id;
  }

  #place(item) {
    this.#status.place(this.#session.at + 1, this.#session);
    find("#finish").hidden = item !== null;
    find("#panel").hidden = item === null;
    /** @type {HTMLButtonElement} */ (find("#back")).disabled = !this.#session.canGoBack;
    find("#finish-back").hidden = !this.#session.canGoBack;
    find("#forward").hidden = this.#panel.single && !(item && this.#session.scored(item));
    find("#finish-words").textContent = text("all_scored", { n: this.#session.items.length });
    delete document.body.dataset.painted;
    if (!item) find("#finish-title").focus();
  }

  #outboxChanged(state) {
    this.#unsent = state.waiting + state.held.length;
    this.#status.saved(state);
    this.#disputes.update(state.held);
    if (this.#leaving && !this.#unsent) {
      const form = this.#leaving;
      this.#leaving = null;
      form.requestSubmit();
    }
    const link = find("#finish-link");
    if (this.#unsent) link.removeAttribute("href");
    else link.setAttribute("href", this.#room.urls.finish);
    link.setAttribute("aria-disabled", String(this.#unsent > 0));
    find("#finish-waiting").textContent = this.#unsent ? text("finish_waiting", { n: this.#unsent }) : "";
    if (!state.trouble) this.#frames.wake();
  }

  #frameTrouble(trouble) {
    this.#status.frameNeedsLogin(trouble === "login");
    if (!trouble || this.#painted || !this.#session.current) return;
    find("#stage-note").textContent = text(trouble === "login" ? "image_login" : "image_unreachable");
  }

  /** The first try warns, the second goes: the answers stay on this computer. */
  /** Signs out as soon as everything is on the server; a second press leaves the rest on this computer. */
  #signOut(event) {
    if (!this.#unsent || this.#leaving) return;
    event.preventDefault();
    this.#leaving = /** @type {HTMLFormElement} */ (event.target);
    this.#status.say(text("sign_out_waiting", { n: this.#unsent }));
  }
}

const room = JSON.parse(find("#room-data").textContent ?? "");
await new Room(room, await openStore()).start();
