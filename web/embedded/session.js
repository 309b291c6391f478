// The protocol, for the desk: one session per socket, any number of conversations.
//
// `DeskSession` holds the queue and every conversation that is watched. A conversation's state changes by `apply`
// (conversation.js), what is unacknowledged is in an `Outbox` (outbox.js), a `Thread` (thread.js) joins the two, and a
// `Connection` (connection.js) keeps the socket. `onChange` is called after anything has changed. No document here.

import { Connection } from "./connection.js";
import { cursorOf, prependOlder } from "./conversation.js";
import { Thread } from "./thread.js";

export { apply, cursorOf, emptyConversation, prependOlder } from "./conversation.js";
export { Outbox } from "./outbox.js";

const VERSIONS = [1];

/** The side of an agent or a supervisor. Options: url, token, onChange, onRefused, onEnded. */
export class DeskSession {
  constructor(options) {
    this.options = options;
    this.queue = { entries: [], waiting: 0 };
    this.threads = new Map();
    this.status = "connecting";
    this.limits = { maxMessageBytes: Infinity };
    this.participant = null;
    this.role = null;
    this.connection = new Connection({
      url: options.url,
      hello: () => this.hello(),
      isInStep: (frame) => this.isInStep(frame),
      onFrame: (frame) => this.#receive(frame),
      onInStep: () => this.inStep(),
      onStatus: (status) => this.#changed(() => (this.status = status)),
      onEnded: (code, reason) => options.onEnded(code, reason),
    });
  }

  open() {
    this.connection.open();
  }

  watch(conversation) {
    if (this.threads.has(conversation)) return;
    this.threads.set(conversation, new Thread(conversation, this));
    this.#sendWatch(this.threads.get(conversation));
  }

  unwatch(conversation) {
    this.threads.get(conversation)?.stop();
    if (this.threads.delete(conversation)) this.connection.send({ type: "unwatch", conversation });
  }

  claim(conversation, controlVersion) {
    this.watch(conversation);
    this.#command(conversation, { type: "claim", control_version: controlVersion });
  }

  takeOver(conversation) {
    this.#command(conversation, { type: "take_over", ...this.#seen(conversation) });
  }

  handBack(conversation, to) {
    this.#command(conversation, { type: "hand_back", ...this.#seen(conversation), to });
  }

  close(conversation) {
    this.#command(conversation, { type: "close", ...this.#seen(conversation) });
  }

  say(conversation, text) {
    this.#command(conversation, { type: "say", text });
  }

  typing(conversation, active) {
    this.connection.send({ type: "typing", conversation, active });
  }

  retry(conversation, id) {
    this.threads.get(conversation)?.retry(id);
    this.options.onChange();
  }

  discard(conversation, id) {
    this.threads.get(conversation)?.outbox.discard(id);
    this.options.onChange();
  }

  prependOlder(conversation, entries, hasOlder) {
    const thread = this.threads.get(conversation);
    if (thread) thread.state = prependOlder(thread.state, entries, hasOlder);
    this.options.onChange();
  }

  hello() {
    return { type: "hello", versions: VERSIONS, token: this.options.token };
  }

  isInStep(frame) {
    return frame.type === "hello";
  }

  inStep() {
    for (const thread of this.threads.values()) {
      thread.reconnected();
      this.#sendWatch(thread);
    }
  }

  resume(conversation, cursor) {
    this.connection.send({ type: "watch", conversation, cursor });
  }

  watchAgain(thread) {
    this.#sendWatch(thread);
  }

  receive(frame) {
    if (frame.type === "queue") this.queue = frame;
    if (frame.type === "ping") for (const thread of this.threads.values()) thread.receive(frame);
    this.threads.get(frame.conversation)?.receive(frame);
  }

  #command(conversation, frame) {
    this.threads.get(conversation)?.send(frame);
    this.options.onChange();
  }

  #seen(conversation) {
    return { control_version: this.threads.get(conversation)?.state.controlVersion ?? 0 };
  }

  #sendWatch(thread) {
    this.connection.send({ type: "watch", conversation: thread.state.id, cursor: cursorOf(thread.state) });
  }

  #receive(frame) {
    this.#changed(() => {
      if (frame.type === "hello") {
        this.limits = { maxMessageBytes: frame.max_message_bytes };
        this.participant = frame.participant;
        this.role = frame.role;
      }
      if (frame.type === "refused" && !frame.client_msg_id) {
        this.threads.get(frame.conversation)?.notShown(frame);
        this.options.onRefused(frame);
      }
      this.receive(frame);
    });
  }

  #changed(change) {
    change();
    this.options.onChange();
  }
}
