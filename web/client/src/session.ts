// A conversation together with what was sent to it and has no outcome yet: what to do when a frame arrives.
//
// No socket and no storage of its own: both are ports. The rules are those of conversation.ts and outbox.ts; this file
// decides when they are applied.

import {
  apply,
  type ConversationState,
  cursorOf,
  emptyConversation,
  prependOlder,
  withoutTyping,
} from "./conversation.ts";
import type { Command, FrameOf } from "./frames.ts";
import type { CustomerFrame, ErrorCode, LogEntry, Refusal, ServerFrame } from "./generated/protocol.ts";
import type { Outbox } from "./outbox.ts";
import * as outboxes from "./outbox.ts";
import { isMine, leftBehind, messagesToOfferAgain } from "./recovery.ts";
import type { SavedOutbox } from "./slots.ts";

/** As much as the server takes until it has said how much. */
const DEFAULT_MESSAGE_BYTES = 16_384;
const MAX_FRAME_BYTES = 65_536;
const TYPING_FORGOTTEN_AFTER_MS = 6_000;
const RESUME_TIMEOUT_MS = 10_000;

/** What a session needs of the outside. */
export interface SessionPorts {
  /** Sends on the socket in step; false if there is none. */
  transmit(frame: CustomerFrame): boolean;
  /** Nothing on this socket can be trusted any more. */
  restart(): void;
  /** Something has changed; `text`: only the reply in progress has grown. */
  changed(what: "all" | "text"): void;
  /** A refusal that belongs to no command shown, or a command that came too late to matter. */
  problem(code: ErrorCode, message: string): void;
  /** Keeps what is unsent. */
  save(): void;
  /** Looks for what tabs that are gone have left. */
  adopt(): Promise<void>;
}

/** The one conversation of a customer. */
export class Session {
  conversation: ConversationState | null = null;
  outbox: Outbox = [];
  /** Who the server says the customer is. */
  participant: string | null = null;
  /** Whose the outbox is, known before the server has said anything. */
  owner: string | null = null;
  maxMessageBytes = DEFAULT_MESSAGE_BYTES;
  readonly #ports: SessionPorts;
  /** The server was asked where the log stands and has not said it yet. */
  #awaited: "hello" | "resume" | null = "hello";
  #isFlushing = false;
  /** How many sockets there were: what began on an earlier one must not go on. */
  #sockets = 0;
  #retryAt = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #typingTimer: ReturnType<typeof setTimeout> | undefined;
  #resumeTimer: ReturnType<typeof setTimeout> | undefined;

  readonly #isVisitor: boolean;

  /** `isVisitor`: nobody but the visitor of this browser uses its storage. */
  constructor(ports: SessionPorts, isVisitor: boolean) {
    this.#ports = ports;
    this.#isVisitor = isVisitor;
  }

  /** Somebody else is the customer from here on: nothing that is held is for their eyes. */
  become(owner: string): void {
    this.forget();
    this.owner = owner;
    this.#ports.changed("all");
  }

  /** Follows a conversation of the same customer. What was not sent to the one before is kept as failed. */
  follow(conversation: string): void {
    if (this.conversation?.id === conversation) return;
    const isFirst = this.conversation === null;
    this.#halt();
    this.conversation = emptyConversation(conversation);
    if (!isFirst) this.outbox = leftBehind(this.outbox);
    this.#updated();
  }

  /** The first frame of a socket. */
  hello(token: string): CustomerFrame {
    const cursor = this.conversation && cursorOf(this.conversation);
    return { type: "hello", versions: [1], token, ...(cursor && { cursor }) };
  }

  /** A new socket takes over. Once it has told where the log stands, what has no outcome goes out again. */
  promoted(): void {
    this.#halt();
    this.outbox = outboxes.disconnected(this.outbox);
  }

  /** Gives a command; it goes out as soon as it can. */
  send(frame: Command): void {
    this.outbox = outboxes.added(this.outbox, frame, Date.now(), this.conversation?.cursor ?? 0);
    this.#updated();
    this.#flush();
  }

  retry(id: string, freshId: string): void {
    this.outbox = outboxes.retried(this.outbox, id, freshId);
    this.#updated();
    this.#flush();
  }

  discard(id: string): void {
    this.outbox = outboxes.discarded(this.outbox, id);
    this.#updated();
  }

  /** Nothing will be sent any more, and it is known why. */
  failAll(code: ErrorCode, message: string): void {
    this.outbox = outboxes.allFailed(this.outbox, { code, message });
    this.#updated();
  }

  /** Takes over what a tab that is gone has left, if it is this customer's. */
  adopt(saved: SavedOutbox): boolean {
    if (!this.conversation || !this.#isOurs(saved)) return false;
    const isThisOne = saved.conversation === null || saved.conversation === this.conversation.id;
    if (isThisOne && this.conversation.erased) return true;
    this.outbox = outboxes.adopted(this.outbox, isThisOne ? saved.items : leftBehind(saved.items));
    this.#updated();
    this.#flush();
    return true;
  }

  /** Forgets the conversation and what was to be said in it. */
  forget(): void {
    this.stop();
    this.#halt();
    this.conversation = null;
    this.outbox = [];
    this.participant = null;
    this.owner = null;
  }

  /** What may not be in the log yet. */
  unsettled(): Outbox {
    return outboxes.unsettled(this.outbox);
  }

  /** Puts older entries before those held, unless the log was replaced since they were asked for. */
  prependOlder(asked: ConversationState, entries: readonly LogEntry[], hasOlder: boolean): void {
    const held = this.conversation;
    if (held?.id !== asked.id || held.historyEpoch !== asked.historyEpoch) return;
    if (held.entries[0]?.seq !== asked.entries[0]?.seq) return;
    this.conversation = prependOlder(held, entries, hasOlder);
    this.#ports.changed("all");
  }

  /** Learns from a frame. */
  receive(frame: ServerFrame): void {
    switch (frame.type) {
      case "hello":
        this.participant = frame.participant;
        this.owner ??= frame.participant;
        this.maxMessageBytes = frame.max_message_bytes;
        this.#ports.changed("all");
        break;
      case "synced":
        this.#synced(frame);
        break;
      case "ack":
        this.#settle({ id: frame.client_msg_id, seq: frame.seq });
        break;
      case "refused":
        this.#refused(frame);
        break;
      default:
        this.#apply(frame);
    }
  }

  /** Ends every timer. */
  stop(): void {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#typingTimer);
    clearTimeout(this.#resumeTimer);
    this.#retryAt = 0;
    // Nothing would end the delay any more.
    this.outbox = outboxes.undelayed(this.outbox);
  }

  /** Sends nothing until a new socket has told where the log stands. */
  #halt(): void {
    this.#awaited = "hello";
    this.#isFlushing = false;
    this.#sockets += 1;
    clearTimeout(this.#resumeTimer);
  }

  #apply(frame: ServerFrame): void {
    if (!this.conversation) return;
    const before = this.conversation;
    this.conversation = apply(before, frame);
    this.#dropErased(before);
    if (frame.type === "entry" && frame.client_msg_id && isMine(frame, this.participant)) {
      this.#settle({ id: frame.client_msg_id, seq: frame.seq });
    }
    this.#reached();
    if (frame.type === "typing") this.#forgetTypingLater();
    if (this.conversation.needsResume) this.#resume();
    if (this.conversation !== before) this.#ports.changed(isJustText(before, frame) ? "text" : "all");
  }

  #synced(frame: FrameOf<"synced">): void {
    if (!this.conversation || frame.conversation !== this.conversation.id || this.#isPast(frame)) return;
    const before = this.conversation;
    this.conversation = apply(before, frame);
    this.#dropErased(before);
    clearTimeout(this.#resumeTimer);
    if (frame.reason === "other_epoch" || frame.reason === "future") {
      const lost = messagesToOfferAgain(before, this.conversation, this.participant);
      this.outbox = outboxes.offeredAgain(this.outbox, lost);
    }
    for (const entry of frame.entries) {
      if (!entry.client_msg_id || !isMine(entry, this.participant)) continue;
      this.outbox = outboxes.settled(this.outbox, { id: entry.client_msg_id, seq: entry.seq }).outbox;
    }
    this.#reached();
    this.#updated();
    const isFirst = this.#awaited === "hello";
    this.#awaited = null;
    if (this.conversation.needsResume) this.#startOver();
    else if (isFirst) void this.#adoptAndFlush();
  }

  /** What was to be said in a conversation that is erased is forgotten with it. */
  #dropErased(before: ConversationState): void {
    if (!this.conversation?.erased || before.erased) return;
    this.outbox = [];
    this.#updated();
  }

  /** A fresh start that nobody has asked for, from before the cursor: following it would take entries back. */
  #isPast(frame: FrameOf<"synced">): boolean {
    if (this.#awaited !== null || frame.recovered || !this.conversation) return false;
    const { historyEpoch, cursor } = this.conversation;
    return frame.history_epoch === historyEpoch && frame.position <= cursor;
  }

  async #adoptAndFlush(): Promise<void> {
    const socket = this.#sockets;
    await this.#ports.adopt();
    if (socket !== this.#sockets) return;
    this.#isFlushing = true;
    this.#flush();
  }

  /** What it has told does not join: nothing that is held can be right. */
  #startOver(): void {
    if (this.conversation) this.conversation = emptyConversation(this.conversation.id);
    this.#awaited = "hello";
    this.#ports.restart();
  }

  #resume(): void {
    if (this.#awaited !== null || !this.conversation) return;
    const cursor = cursorOf(this.conversation);
    if (!cursor || !this.#ports.transmit({ type: "resume", cursor })) {
      this.#ports.restart();
      return;
    }
    this.#awaited = "resume";
    clearTimeout(this.#resumeTimer);
    this.#resumeTimer = setTimeout(() => this.#ports.restart(), RESUME_TIMEOUT_MS);
  }

  /** What a visitor has written before there was a token belongs to the visitor that this browser has now. */
  #isOurs({ owner }: SavedOutbox): boolean {
    return owner === null ? this.#isVisitor : owner === this.owner;
  }

  #refused(frame: FrameOf<"refused">): void {
    const item = this.outbox.find(({ id }) => id === frame.client_msg_id);
    // What was asked for is the case already: there is nothing to show of the command.
    const isPointless = item && frame.code === "nothing_to_do" && item.frame.type !== "say";
    if (item && !isPointless) this.#settle({ id: item.id, refusal: refusalOf(frame) });
    else this.#ports.problem(frame.code, frame.message);
    if (isPointless) this.discard(item.id);
  }

  #settle(outcome: outboxes.Outcome): void {
    const { outbox, retryInMs } = outboxes.settled(this.outbox, outcome);
    if (outbox === this.outbox) return;
    this.outbox = outbox;
    if (retryInMs !== undefined) this.#retryIn(retryInMs);
    this.#reached();
    this.#updated();
    this.#flush();
  }

  #reached(): void {
    const outbox = outboxes.reached(this.outbox, this.conversation?.cursor ?? 0);
    if (outbox === this.outbox) return;
    this.outbox = outbox;
    this.#updated();
  }

  #flush(): void {
    if (!this.#isFlushing) return;
    const { outbox, frames } = outboxes.taken(this.outbox);
    this.outbox = outbox;
    for (const frame of frames) {
      const refusal = refusalBeforehand(frame);
      if (refusal) this.#settle({ id: frame.client_msg_id, refusal });
      else if (!this.#ports.transmit(frame)) this.#isFlushing = false;
    }
  }

  #retryIn(ms: number): void {
    this.#retryAt = Math.max(this.#retryAt, Date.now() + ms);
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      this.outbox = outboxes.undelayed(this.outbox);
      this.#flush();
    }, this.#retryAt - Date.now());
  }

  #forgetTypingLater(): void {
    clearTimeout(this.#typingTimer);
    if (!this.conversation?.typing) return;
    this.#typingTimer = setTimeout(() => {
      if (this.conversation) this.conversation = withoutTyping(this.conversation);
      this.#ports.changed("all");
    }, TYPING_FORGOTTEN_AFTER_MS);
  }

  #updated(): void {
    this.#ports.save();
    this.#ports.changed("all");
  }
}

const TOO_LARGE: Refusal = { code: "too_large", message: "The message is too long." };

const NOT_TEXT: Refusal = { code: "bad_request", message: "The message has a character that cannot be sent." };

/** Why a command cannot be a frame. The server could not tell which command it is that it refuses. */
function refusalBeforehand(frame: Command): Refusal | null {
  const texts: unknown[] = Object.values(frame);
  if (texts.some((text) => typeof text === "string" && !isSendable(text))) return NOT_TEXT;
  return new TextEncoder().encode(JSON.stringify(frame)).length > MAX_FRAME_BYTES ? TOO_LARGE : null;
}

function isSendable(text: string): boolean {
  return !text.includes("\0") && !/\p{Surrogate}/u.test(text);
}

function refusalOf({ type: _type, ...refusal }: FrameOf<"refused">): Refusal {
  return refusal;
}

function isJustText(before: ConversationState, frame: ServerFrame): boolean {
  return frame.type === "delta" && before.live !== null && before.live.text !== "" && before.live.turn === frame.turn;
}
