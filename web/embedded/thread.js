// A conversation together with what was sent to it and has no outcome yet: what to do when a frame arrives.

import { apply, cursorOf, emptyConversation } from "./conversation.js";
import { Outbox } from "./outbox.js";

/** Pause before a conversation is asked for again that cannot be shown just now, if the server names none. */
const WATCH_AGAIN_MS = 500;

/** A new name for a command: random, so that no two tabs share one. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** On a socket that `session` owns. */
export class Thread {
  constructor(id, session) {
    this.state = emptyConversation(id);
    this.outbox = new Outbox();
    this.session = session;
    this.resuming = false;
    this.awaitingSync = true;
    this.retryAt = 0;
    this.retryTimer = null;
    this.watchTimer = null;
  }

  send(frame) {
    const named = { ...frame, client_msg_id: newId(), conversation: this.state.id };
    const item = this.outbox.add(named, Date.now(), this.state.cursor);
    if (!this.outbox.blocked) this.flush();
    return item;
  }

  retry(id) {
    this.outbox.retry(id, newId());
    this.flush();
  }

  /** A new socket takes over: once it has told where the log stands, what has no outcome goes out again. */
  reconnected() {
    this.awaitingSync = true;
    clearTimeout(this.watchTimer);
    this.outbox.disconnected();
  }

  /** The server does not show the conversation. If that is a matter of time, it is asked again: until then nothing would be shown or sent. */
  notShown({ code, retry_after_ms: pauseMs = WATCH_AGAIN_MS }) {
    if (code !== "busy" && code !== "unknown") return;
    clearTimeout(this.watchTimer);
    this.watchTimer = setTimeout(() => this.session.watchAgain(this), pauseMs);
  }

  flush() {
    if (this.awaitingSync || !this.session.connection.isLive) return;
    for (const frame of this.outbox.take()) this.session.connection.send(frame);
  }

  receive(frame) {
    this.state = apply(this.state, frame);
    if (frame.type === "synced") this.#synced(frame);
    else this.#settle(frame);
    this.outbox.reached(this.state.cursor);
    if (this.state.needsResume && !this.resuming) this.#resume();
  }

  stop() {
    clearTimeout(this.retryTimer);
    clearTimeout(this.watchTimer);
  }

  #synced(frame) {
    this.resuming = false;
    for (const entry of frame.entries) this.#settle({ ...entry, type: "entry" });
    if (!this.awaitingSync) return;
    this.awaitingSync = false;
    this.flush();
  }

  #settle(frame) {
    if (!frame.client_msg_id) return;
    const settled = this.outbox.settle(frame);
    if (!settled) return;
    if (settled.retryInMs !== undefined) this.#retryIn(settled.retryInMs);
    if (settled.item.state === "failed" && settled.item.frame.type !== "say") {
      this.outbox.discard(settled.item.id);
      this.session.options.onRefused(settled.item.refusal, settled.item.frame);
    }
  }

  #retryIn(ms) {
    this.retryAt = Math.max(this.retryAt, Date.now() + ms);
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.flush(), this.retryAt - Date.now());
  }

  #resume() {
    this.resuming = true;
    const cursor = cursorOf(this.state);
    if (cursor) this.session.resume(this.state.id, cursor);
    else this.session.connection.restart();
  }
}
