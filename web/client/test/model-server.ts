// A server as the protocol describes it: a log, a reply in progress, and sockets whose frames wait to be read.

import type { Control, Cursor, LogEntry, ServerFrame } from "../src/generated/protocol.ts";
import type { ConversationState } from "../src/index.ts";

export const ID = "0198c0de-0000-7000-8000-000000000001";
export const HISTORY_EPOCH = "0198c0de-0000-7000-8000-00000000e90c";
export const CUSTOMER = "0198c0de-0000-7000-8000-0000000000cc";
/** More than this is not sent again after a reconnect. */
const WITHIN_REACH = 8;
const SNAPSHOT = 12;

type Body<Entry> = Entry extends LogEntry ? Omit<Entry, "seq" | "prev" | "at"> : never;

/** What has been sent on one socket and not been read yet. */
export interface ModelSocket {
  readonly unread: ServerFrame[];
}

interface OpenTurn {
  readonly turn: number;
  readonly attempt: number;
  readonly text: string;
}

/** The server's side of one conversation. */
export class ModelServer {
  /** The whole log; entries of the kind `attempt_started` are not for customers. */
  readonly log: LogEntry[] = [];
  turn: OpenTurn | null = null;
  control: Control = { state: "assistant" };
  #controlVersion = 0;
  #epoch = 1;
  readonly #sockets = new Set<ModelSocket>();

  /** What the customer is shown. */
  get visible(): LogEntry[] {
    return this.log.filter(({ kind }) => kind !== "attempt_started");
  }

  connect(cursor: Cursor | undefined): ModelSocket {
    const socket = { unread: [this.#synced(cursor)] };
    this.#sockets.add(socket);
    return socket;
  }

  /** Answers on the same socket. */
  resume(socket: ModelSocket, cursor: Cursor | undefined): void {
    socket.unread.push(this.#synced(cursor));
  }

  disconnect(socket: ModelSocket): void {
    this.#sockets.delete(socket);
  }

  say(): void {
    const author = { id: CUSTOMER, role: "customer" } as const;
    this.#append({ kind: "message_said", author, text: `m${this.log.length}`, client_msg_id: `c${this.log.length}` });
    if (this.turn || this.control.state !== "assistant") return;
    this.#append({ kind: "turn_opened", answers: this.log.length });
    this.turn = { turn: this.log.length, attempt: 1, text: "" };
  }

  write(text: string): void {
    if (!this.turn) return;
    const offset = new TextEncoder().encode(this.turn.text).length;
    this.turn = { ...this.turn, text: this.turn.text + text };
    const { turn, attempt } = this.turn;
    this.#send({ type: "delta", conversation: ID, turn, epoch: this.#epoch, attempt, offset, text });
  }

  /** The process that ran the turn is lost; another one runs it again. */
  loseOwner(): void {
    this.#epoch += 1;
    if (!this.turn) return;
    const { turn } = this.turn;
    const attempt = this.turn.attempt + 1;
    this.turn = { turn, attempt, text: "" };
    this.#append({ kind: "attempt_started", turn, attempt });
    this.#send({ type: "reset", conversation: ID, turn, epoch: this.#epoch, attempt });
  }

  endTurn(outcome: "final" | "stopped" = "final"): void {
    if (!this.turn) return;
    const { turn, text } = this.turn;
    this.turn = null;
    this.#append({ kind: "turn_ended", turn, outcome, text });
  }

  /** From the assistant to the queue and back. */
  changeControl(): void {
    this.endTurn("stopped");
    const isQueue = this.control.state === "queue";
    this.control = { state: isQueue ? "assistant" : "queue" };
    this.#controlVersion += 1;
    const cause = isQueue ? "assistant_chosen" : "escalated";
    this.#append({ kind: "control_changed", control: this.control, control_version: this.#controlVersion, cause });
  }

  ping(): void {
    this.#send({ type: "ping", positions: [{ conversation: ID, seq: this.log.length }] });
  }

  #synced(cursor: Cursor | undefined): ServerFrame {
    const missed = this.visible.filter(({ seq }) => seq > (cursor?.seq ?? 0));
    const recovered = cursor !== undefined && missed.length <= WITHIN_REACH;
    return {
      type: "synced",
      conversation: ID,
      history_epoch: HISTORY_EPOCH,
      position: this.log.length,
      recovered,
      ...(!recovered && { reason: cursor ? "too_old" : "new" }),
      entries: recovered ? missed : this.visible.slice(-SNAPSHOT),
      has_older: !recovered && this.visible.length > SNAPSHOT,
      control: this.control,
      control_version: this.#controlVersion,
      ...(this.turn && { turn: { ...this.turn, epoch: this.#epoch } }),
    };
  }

  #append(body: Body<LogEntry>): void {
    const prev = this.visible.at(-1)?.seq ?? 0;
    const entry: LogEntry = { seq: this.log.length + 1, prev, at: this.log.length, ...body };
    this.log.push(entry);
    if (entry.kind !== "attempt_started") this.#send({ type: "entry", conversation: ID, ...entry });
  }

  #send(frame: ServerFrame): void {
    for (const socket of this.#sockets) socket.unread.push(frame);
  }
}

/** The part of the server's log that a reader must hold: everything visible from its first entry to its cursor. */
export function expectedEntries(server: ModelServer, { entries, cursor }: ConversationState): LogEntry[] {
  const first = entries[0]?.seq ?? Number.POSITIVE_INFINITY;
  return server.visible.filter(({ seq }) => seq >= first && seq <= cursor);
}
