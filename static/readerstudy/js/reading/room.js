/** The reading room: shows one image after the other and takes the scores and marks. The page's only entry point. */

import { Board } from "../marks/board.js";
import { Clock } from "./clock.js";
import { Disputes } from "./disputes.js";
import { Finish } from "./finish.js";
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
  #board;
  #finish;
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
    const back = room.mode === "scores" || room.mode === "pairwise" ? room.display.back : room.items.length;
    this.#session = new Session(room.items, room.criteria.map(({ key }) => key), back);
    const send = createSender(room.urls, document.querySelector('meta[name="csrf-token"]')?.getAttribute("content") ?? "");
    this.#outbox = new Outbox(store, room.mode === "practice" ? location.pathname : room.urls.finish, send, (state) => this.#outboxChanged(state));
    this.#finish = new Finish(room.urls.finish);
    this.#stage = this.#makeStage();
    this.#tools = new Tools(this.#stage, room.presets, room.display);
    const comment = /** @type {HTMLTextAreaElement} */ (find("#comment"));
    this.#panel = new Panel(find("#criteria"), comment, room.criteria, (score, key, byPointer) => {
      if (byPointer) this.#stage.focus();
      void this.#score(score, key);
    });
    this.#board = new Board(this.#stage, {
      labels: room.labels,
      fidelity: room.mode === "fidelity",
      pixelStatistics: room.display.pixel_statistics,
      changed: (mark) => this.#marked(mark),
    });
    this.#disputes = new Disputes(this.#outbox, this.#session, room.criteria, (mark) => this.#board.nameOf(mark), () => this.#resume());
    this.#listen();
  }

  #makeStage() {
    const { display } = this.#room;
    const options = {
      renderer: display.renderer ?? "auto",
      interpolation: display.interpolation,
      fixedWindow: display.window === "fixed",
      fixedZoom: display.zoom === "fixed",
    };
    const frameShown = (index, offset) => {
      this.#tools.frameShown(offset);
      this.#board.frameShown(index);
    };
    return new Stage(find("#stage"), options, (state) => this.#tools.show(state), frameShown);
  }

  /** Puts the answers that still wait on this computer over those of the server, then shows the first open image. */
  async start() {
    for (const { body } of await this.#outbox.entries()) {
      if (body.mark) this.#session.mark(body.presentation, body.mark);
      else this.#session.record(body.presentation, body.answers, body.key, body.comment);
    }
    this.#session.goTo(this.#session.frontier);
    void this.#outbox.flush();
    await this.#show();
  }

  #listen() {
    listenToKeys((action) => this.#perform(action), this.#room.mode === "pairwise");
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
      choose: () => this.#score({ choice: action.argument }),
      go_on: () => this.#goOn(),
      forward: () => this.#forward(),
      back: () => this.#back(),
      keys: () => /** @type {HTMLDialogElement} */ (find("#keys")).showModal(),
      cannot_judge: () => this.#room.criteria.length && this.#open("#cannot-judge-box", "#reason"),
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
    return this.#painted && !this.#storing && !this.#board.busy && this.#session.current !== null;
  }

  async #score(score, key) {
    if (!this.#ready || !this.#room.criteria.length) return;
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

  /** Stores what is chosen, if it is new, and only then moves on; in practice it stays until the grade has been read. */
  async #goOn() {
    if (!this.#ready) return;
    if (!this.#panel.complete) return this.#status.say(text("score_missing"));
    const item = this.#session.current;
    const given = this.#session.given(item);
    const same = given && JSON.stringify([given.scores, given.comment]) === JSON.stringify([this.#panel.scores, this.#panel.comment]);
    if (!same) {
      await this.#store(item, given);
      if (this.#room.mode === "practice") return this.#showGrade(item);
    }
    await this.#forward();
  }

  async #store(item, given) {
    const { scores, comment } = this.#panel;
    const times = this.#clock.read(this.#room.display.too_fast_ms);
    const body = {
      key: newKey(),
      presentation: item.id,
      answers: scores,
      comment,
      replaces: given ? (given.key ?? true) : null,
      ...times,
      viewport: this.#tools.viewport,
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
    const hurried = times.too_fast && this.#session.back > 0 && this.#room.criteria.length;
    const seconds = (times.elapsed_ms / 1000).toFixed(1);
    this.#status.say(hurried ? text("too_fast", { n: item.position, seconds }) : "");
  }

  #marked(mark) {
    const { id } = this.#session.current;
    this.#session.mark(id, mark);
    void this.#outbox.add({ key: newKey(), presentation: id, mark });
  }

  #showGrade({ grade }) {
    const words = this.#room.criteria.map(({ title, texts }) => `${title}: ${texts[grade]}`).join(" · ");
    this.#status.say(text("grade", { grade, words }));
    find("#forward").hidden = false;
  }

  async #forward() {
    if (this.#storing || this.#board.busy || !this.#session.canGoOn) return;
    this.#session.goOn();
    await this.#show();
  }

  async #back() {
    if (this.#storing || this.#board.busy || !this.#session.canGoBack) return;
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
    this.#tools.end();
    this.#board.clear();
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
      const name = text("image_name", { n: item.position, of: this.#session.items.length });
      await this.#stage.show(item, panes, name, this.#captions(item));
    } catch (error) {
      if (error instanceof Gone && turn === this.#showing) note.textContent = text("image_gone");
      else if (turn === this.#showing) throw error;
      return;
    }
    if (turn === this.#showing) this.#begin(item);
  }

  /** The image is on the screen: from here on it can be judged. */
  #begin(item) {
    this.#clock.start();
    this.#tools.start(item);
    if (this.#room.labels.length) this.#board.start(item, this.#session.marks(item));
    this.#painted = true;
    document.body.dataset.painted = item.id;
    const { break_after_minutes: minutes } = this.#room.display;
    if (this.#room.mode === "practice" && this.#session.scored(item)) this.#showGrade(item);
    else if (this.#clock.wantsBreak(minutes)) this.#status.say(text("break", { minutes }));
    void this.#prepareNext(this.#showing);
  }

  /** The next image is resampled while the reader looks at this one, not after the key. @param {number} turn */
  async #prepareNext(turn) {
    const next = this.#session.items[this.#session.at + 1];
    const panes = next && (await this.#frames.ahead(next)?.catch(() => null));
    // After the frame of this image is out, and not while a key is being answered.
    await new Promise((resolve) => (window.requestIdleCallback ?? setTimeout)(resolve));
    if (panes && turn === this.#showing && !this.#storing) this.#stage.prepare(next, panes);
  }

  #captions({ panes, reference }) {
    if (panes.length < 2) return [];
    const pair = [text("choice_left"), text("choice_right")];
    return panes.map((_, pane) => (pane === reference ? text("reference") : panes.length > 2 || reference === null ? pair[pane] : text("to_be_scored")));
  }

  #place(item) {
    this.#status.place(this.#session.at + 1, this.#session);
    this.#finish.show(item === null, this.#session.canGoBack);
    /** @type {HTMLButtonElement} */ (find("#back")).disabled = !this.#session.canGoBack;
    find("#forward").hidden = this.#panel.single && !(item && this.#session.scored(item));
    delete document.body.dataset.painted;
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
    this.#finish.waiting(this.#unsent);
    if (!state.trouble) this.#frames.wake();
  }

  #frameTrouble(trouble) {
    this.#status.frameNeedsLogin(trouble === "login");
    if (!trouble || this.#painted || !this.#session.current) return;
    find("#stage-note").textContent = text(trouble === "login" ? "image_login" : "image_unreachable");
  }

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
