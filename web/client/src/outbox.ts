// What this tab has sent and does not know the end of.
//
// Pure: every function returns the next outbox. `taken` hands out the frames that should go out now, in order; `settled`
// learns from acks, refusals and the entries themselves. A command keeps its `client_msg_id` for good, so sending it again
// is always safe. `after` is worked out at each sending: it names the newest earlier command without an outcome.

import { type Command, isRecord } from "./frames.ts";
import type { ErrorCode, Refusal } from "./generated/protocol.ts";

/** How often one command is refused for now before it is shown as failed. */
export const MAX_ATTEMPTS = 10;
/** The same for faults of the server, which waiting seldom mends. */
export const MAX_FAULTS = 5;
/** Commands under way at once: half of what the server lets wait for one conversation. */
export const MAX_IN_FLIGHT = 16;
const FIRST_PAUSE_MS = 250;
const SHORTEST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 15_000;

/** `waiting`: may go out; `delayed`: was refused for now; `stored`: acknowledged, its entry not yet seen. */
export type SendingState = "waiting" | "delayed" | "in_flight" | "stored" | "failed";

/** One command and what is known of it. */
export interface OutboxItem {
  /** Its `client_msg_id`. */
  readonly id: string;
  readonly frame: Command;
  /** When it was given, in ms since 1970. */
  readonly at: number;
  /** Where the log stood then, so that a failed command can be shown in its place. */
  readonly cursor: number;
  readonly state: SendingState;
  /** How often it was refused for now. */
  readonly attempts: number;
  /** How often in a row it had to pause, be it for another command or for itself. */
  readonly pauses: number;
  readonly refusal: Refusal | null;
  /** The entry that answers for it, once it is stored. */
  readonly seq: number | null;
  /** It was stored once and is offered again to a log that was restored. */
  readonly isOfferedAgain: boolean;
}

/** Commands in the order in which they were given. */
export type Outbox = readonly OutboxItem[];

/** What is known of a command: where it is stored, or why it is refused. */
export type Outcome =
  | { readonly id: string; readonly seq: number }
  | { readonly id: string; readonly refusal: Refusal };

const REFUSED_FOR_NOW = new Set<ErrorCode>(["busy", "unknown", "out_of_order", "internal"]);
const WORTH_A_RETRY = new Set<ErrorCode>([...REFUSED_FOR_NOW, "id_conflict", "unauthenticated", "token_expired"]);

/** With one more command. */
export function added(outbox: Outbox, frame: Command, at: number, cursor: number): Outbox {
  return [...outbox, newItem(frame, at, cursor)];
}

/** With messages that a restored log may lack, in front, to be offered again under their own names. */
export function offeredAgain(outbox: Outbox, messages: readonly { frame: Command; at: number }[]): Outbox {
  const again = messages.map(({ frame, at }) => ({ ...newItem(frame, at, 0), isOfferedAgain: true }));
  const names = new Set(again.map(({ id }) => id));
  const rest = outbox.filter(({ id }) => !names.has(id));
  // Positions of the lost history mean nothing: what was acknowledged there is asked for again.
  return [
    ...again,
    ...rest.map((item) => (item.state === "stored" ? { ...reopened(item), isOfferedAgain: true } : item)),
  ];
}

/** After a disconnect nobody knows what arrived: everything without an outcome goes out again. */
export function disconnected(outbox: Outbox): Outbox {
  return outbox.map((item) => (item.state === "in_flight" ? { ...item, state: "waiting" } : item));
}

/** The pause that a refusal asked for is over. */
export function undelayed(outbox: Outbox): Outbox {
  return outbox.map((item) => (item.state === "delayed" ? { ...item, state: "waiting" } : item));
}

/** The frames to send now, in order. Nothing overtakes a command that was refused for now. */
export function taken(outbox: Outbox): { outbox: Outbox; frames: Command[] } {
  const frames: Command[] = [];
  let after: string | undefined;
  let room = MAX_IN_FLIGHT - outbox.filter(({ state }) => state === "in_flight").length;
  let isHeld = false;
  const next = outbox.map((item): OutboxItem => {
    isHeld ||= item.state === "delayed" || (item.state === "waiting" && room <= 0);
    const goes = item.state === "waiting" && !isHeld;
    if (goes) {
      frames.push(after === undefined ? item.frame : { ...item.frame, after });
      room -= 1;
    }
    if (goes || item.state === "in_flight") after = item.id;
    return goes ? { ...item, state: "in_flight" } : item;
  });
  return { outbox: frames.length > 0 ? next : outbox, frames };
}

/** After an outcome; `retryInMs` if what was refused for now should be sent again after that time. */
export function settled(outbox: Outbox, outcome: Outcome): { outbox: Outbox; retryInMs?: number } {
  const item = outbox.find(({ id }) => id === outcome.id);
  if (!item) return { outbox };
  if ("refusal" in outcome) return item.state === "stored" ? { outbox } : refused(outbox, item, outcome.refusal);
  const stored = replaced(outbox, { ...item, state: "stored", seq: outcome.seq, refusal: null });
  return { outbox: withoutWaitingFor(stored, item.id) };
}

function refused(outbox: Outbox, item: OutboxItem, refusal: Refusal): { outbox: Outbox; retryInMs?: number } {
  // The name is taken by the very command that is offered again: it is stored.
  if (refusal.code === "id_conflict" && item.isOfferedAgain) return { outbox: discarded(outbox, item.id) };
  const waitsForAnother = refusal.code === "out_of_order" && outbox.slice(0, outbox.indexOf(item)).some(isOpen);
  const attempts = waitsForAnother ? item.attempts : item.attempts + 1;
  const pauses = item.pauses + 1;
  const limit = refusal.code === "internal" ? MAX_FAULTS : MAX_ATTEMPTS;
  const isFinal = !REFUSED_FOR_NOW.has(refusal.code) || attempts >= limit;
  const next = replaced(outbox, { ...item, attempts, pauses, refusal, state: isFinal ? "failed" : "delayed" });
  return isFinal ? { outbox: withoutWaitingFor(next, item.id) } : { outbox: next, retryInMs: pauseMs(refusal, pauses) };
}

/** What may have waited for a command that has its outcome now goes out at once. */
function withoutWaitingFor(outbox: Outbox, id: string): Outbox {
  const from = outbox.findIndex((item) => item.id === id);
  return outbox.map((item, index) => {
    const hasWaited = index > from && item.state === "delayed" && item.refusal?.code === "out_of_order";
    return hasWaited ? { ...item, state: "waiting", pauses: 0 } : item;
  });
}

function replaced(outbox: Outbox, item: OutboxItem): Outbox {
  return outbox.map((candidate) => (candidate.id === item.id ? item : candidate));
}

function pauseMs(refusal: Refusal, pauses: number): number {
  const first = refusal.code === "out_of_order" ? SHORTEST_PAUSE_MS : FIRST_PAUSE_MS;
  const growing = Math.min(LONGEST_PAUSE_MS, first * 2 ** (pauses - 1));
  return Math.max(growing, refusal.retry_after_ms ?? 0);
}

/** Sends a failed command again, as the newest. A name that belongs to another command is replaced by `freshId`. */
export function retried(outbox: Outbox, id: string, freshId: string): Outbox {
  const item = outbox.find((candidate) => candidate.id === id && candidate.state === "failed");
  if (!item) return outbox;
  const name = item.refusal?.code === "id_conflict" ? freshId : id;
  const again = { ...reopened(item), id: name, frame: { ...item.frame, client_msg_id: name } };
  return [...discarded(outbox, id), again];
}

/** Without a command. */
export function discarded(outbox: Outbox, id: string): Outbox {
  return outbox.filter((item) => item.id !== id);
}

/** Without the stored commands whose entries the log has reached. */
export function reached(outbox: Outbox, cursor: number): Outbox {
  const isKept = ({ state, seq }: OutboxItem) => state !== "stored" || seq === null || seq > cursor;
  return outbox.every(isKept) ? outbox : outbox.filter(isKept);
}

/** Everything that has no outcome has failed, for a reason that is not the command's. */
export function allFailed(outbox: Outbox, refusal: Refusal): Outbox {
  return outbox.map((item) => (isOpen(item) ? { ...item, state: "failed", refusal } : item));
}

/** The commands of a tab that is gone, in front of those that are new: they are older. */
export function adopted(outbox: Outbox, orphans: Outbox): Outbox {
  const known = new Set(outbox.map(({ id }) => id));
  return [...orphans.filter(({ id }) => !known.has(id)), ...outbox];
}

/** Whether a failed command might succeed the next time. */
export function canRetry({ refusal }: OutboxItem): boolean {
  return refusal !== null && WORTH_A_RETRY.has(refusal.code);
}

/** Whether nothing is known of its end. */
export function isOpen({ state }: OutboxItem): boolean {
  return state === "waiting" || state === "delayed" || state === "in_flight";
}

/** What a reload needs: everything that may not be in the log. */
export function unsettled(outbox: Outbox): Outbox {
  return outbox.filter(({ state }) => state !== "stored");
}

/** Reads what `unsettled` gave from storage, where anything may stand. */
export function savedItems(value: unknown): Outbox {
  if (!Array.isArray(value)) return [];
  return value
    .filter(isSavedItem)
    .map((item) => ({ ...item, pauses: 0, state: item.state === "failed" ? "failed" : "waiting" }));
}

function isSavedItem(value: unknown): value is OutboxItem {
  if (!isRecord(value) || !isRecord(value.frame)) return false;
  const { id, frame, at, cursor, attempts } = value;
  const isNamed = typeof id === "string" && frame.client_msg_id === id && typeof frame.type === "string";
  return isNamed && [at, cursor, attempts].every((number) => typeof number === "number");
}

const UNTRIED = { attempts: 0, pauses: 0, refusal: null, seq: null } as const;

function newItem(frame: Command, at: number, cursor: number): OutboxItem {
  const id = frame.client_msg_id;
  return { id, frame, at, cursor, state: "waiting", ...UNTRIED, isOfferedAgain: false };
}

function reopened(item: OutboxItem): OutboxItem {
  return { ...item, state: "waiting", ...UNTRIED };
}
