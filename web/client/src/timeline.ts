// From a conversation's state to what a page shows: a flat list of items with stable keys.
//
// Pure but for its memory of the last result: an item that has not changed is the same object again, so that a page only
// draws what is new. A reply stands where its turn opened, right under the message it answers, while it streams and after
// it has ended; so nothing jumps when the committed text replaces the streamed one.

import type { ConversationState } from "./conversation.ts";
import type { EntryOf } from "./frames.ts";
import type { ErrorCode, Failure, LogEntry, Outcome, Score } from "./generated/protocol.ts";
import { canRetry, isOpen, type Outbox, type OutboxItem } from "./outbox.ts";
import type { LiveReply } from "./reply.ts";

/** Why something was not done. */
export interface ItemFailure {
  readonly code: ErrorCode;
  /** For people; it may change. */
  readonly message: string;
  /** Whether the same may succeed the next time. */
  readonly canRetry: boolean;
}

/** What somebody said. The key of one's own stays the same from sending to durable. */
export interface MessageItem {
  readonly kind: "message";
  readonly key: string;
  readonly role: "customer" | "agent" | "supervisor";
  readonly mine: boolean;
  readonly name?: string;
  readonly text: string;
  /** In ms since 1970. */
  readonly at: number;
  /** Its entry; null until it is durable. */
  readonly seq: number | null;
  readonly delivery: "sending" | "durable" | "failed";
  /** The `client_msg_id` of one's own, for `retry` and `discard`. */
  readonly id?: string;
  readonly failure?: ItemFailure;
}

/** What the assistant answers. */
export interface ReplyItem {
  readonly kind: "reply";
  readonly key: string;
  readonly turn: number;
  readonly state: "pending" | "streaming" | "ended";
  readonly outcome?: Outcome;
  readonly failure?: Failure;
  readonly text: string;
  /** In ms since 1970. */
  readonly at: number;
  /** The `turn_ended` entry, by which it is rated and regenerated; null until then. */
  readonly seq: number | null;
  /** A later reply stands in for it. */
  readonly replaced: boolean;
  readonly rating?: Score;
  readonly ratingState?: "sending" | "durable";
}

/** A sentence of the server. */
export interface NoticeItem {
  readonly kind: "notice";
  readonly key: string;
  readonly text: string;
  /** In ms since 1970. */
  readonly at: number;
  readonly seq: number;
}

/** Stands in place of all that was said: it was erased. */
export interface ErasedItem {
  readonly kind: "erased";
  readonly key: string;
  /** In ms since 1970. */
  readonly at: number;
  readonly seq: number;
}

/** Something else that the customer has asked for and that is not done yet, or could not be. */
export interface CommandItem {
  readonly kind: "command";
  readonly key: string;
  readonly command: "stop" | "regenerate" | "rate" | "escalate" | "hand_back" | "close";
  readonly state: "sending" | "failed";
  /** Its `client_msg_id`, for `retry` and `discard`. */
  readonly id: string;
  readonly failure?: ItemFailure;
}

/** One thing to show. */
export type TimelineItem = MessageItem | ReplyItem | NoticeItem | ErasedItem | CommandItem;

/** What a timeline is derived from. `participant`: who is looking. */
export interface TimelineSource {
  readonly conversation: ConversationState | null;
  readonly outbox: Outbox;
  readonly participant: string | null;
}

/** A function that derives items, oldest first, and gives unchanged ones back as the same objects. */
export function createTimeline(): (source: TimelineSource) => readonly TimelineItem[] {
  let shown = new Map<string, TimelineItem>();
  let last: readonly TimelineItem[] = [];
  let lastSource: TimelineSource | null = null;
  return (source) => {
    const grown = lastSource && grownReply(lastSource, source, last);
    lastSource = source;
    if (grown) {
      shown.set(grown.key, grown);
      last = last.map((item) => (item.key === grown.key ? grown : item));
      return last;
    }
    const items = derive(source).map((item) => {
      const before = shown.get(item.key);
      return before && isSame(before, item) ? before : item;
    });
    if (items.length === last.length && items.every((item, index) => item === last[index])) return last;
    shown = new Map(items.map((item) => [item.key, item]));
    last = items;
    return items;
  };
}

/** The reply in progress, if more of its text is all that has changed: the most frequent change, and a cheap one. */
function grownReply(before: TimelineSource, now: TimelineSource, items: readonly TimelineItem[]): ReplyItem | null {
  const live = now.conversation?.live;
  const isOnlyText =
    live?.turn === before.conversation?.live?.turn &&
    now.conversation?.entries === before.conversation?.entries &&
    now.outbox === before.outbox &&
    now.participant === before.participant;
  if (!live || !isOnlyText) return null;
  const shown = items.find((item) => item.kind === "reply" && item.turn === live.turn);
  if (shown?.kind !== "reply" || shown.state === "ended" || shown.text === live.text) return null;
  return liveReply(live, shown.at);
}

interface Index {
  readonly opened: ReadonlySet<number>;
  readonly ended: ReadonlyMap<number, EntryOf<"turn_ended">>;
  readonly replaced: ReadonlySet<number>;
  readonly ratings: ReadonlyMap<number, Score>;
  readonly ratingsUnderWay: ReadonlyMap<number, Score>;
}

function derive({ conversation, outbox, participant }: TimelineSource): TimelineItem[] {
  const held = conversation?.entries ?? [];
  const entries = conversation?.erased ? held.filter(({ kind }) => kind === "erased") : held;
  const live = conversation?.live ?? null;
  const index = indexed(entries, outbox);
  const items = entries
    .map((entry) => itemOf(entry, index, live, participant))
    .filter((item): item is TimelineItem => item !== null);
  if (live && !index.opened.has(live.turn)) items.push(liveReply(live, entries.at(-1)?.at ?? 0));
  const names = new Set(entries.map(({ client_msg_id }) => client_msg_id));
  for (const sent of outbox) {
    if (names.has(sent.id)) continue;
    const item = sentItem(sent, index);
    if (item) items.splice(placeOf(sent, items), 0, item);
  }
  return items;
}

function indexed(entries: readonly LogEntry[], outbox: Outbox): Index {
  const index = {
    opened: new Set<number>(),
    ended: new Map<number, EntryOf<"turn_ended">>(),
    replaced: new Set<number>(),
    ratings: new Map<number, Score>(),
    ratingsUnderWay: new Map<number, Score>(),
  };
  for (const entry of entries) {
    if (entry.kind === "turn_opened") index.opened.add(entry.seq);
    if (entry.kind === "turn_opened" && entry.replaces) index.replaced.add(entry.replaces);
    if (entry.kind === "turn_ended") index.ended.set(entry.turn, entry);
    if (entry.kind === "rated" && entry.reply) index.ratings.set(entry.reply, entry.score);
  }
  for (const { frame, state } of outbox) {
    if (frame.type === "rate" && frame.reply && state !== "failed") index.ratingsUnderWay.set(frame.reply, frame.score);
  }
  return index;
}

function itemOf(
  entry: LogEntry,
  index: Index,
  live: LiveReply | null,
  participant: string | null,
): TimelineItem | null {
  switch (entry.kind) {
    case "message_said":
      return saidMessage(entry, participant);
    case "turn_opened": {
      const ended = index.ended.get(entry.seq);
      if (ended) return endedReply(ended, index);
      return live?.turn === entry.seq ? liveReply(live, entry.at) : null;
    }
    case "turn_ended":
      return index.opened.has(entry.turn) ? null : endedReply(entry, index);
    case "control_changed":
    case "notice_posted":
      return notice(entry);
    case "erased":
      return { kind: "erased", key: `entry-${entry.seq}`, at: entry.at, seq: entry.seq };
    default:
      return null;
  }
}

function saidMessage(entry: EntryOf<"message_said">, participant: string | null): MessageItem {
  const { author, seq, at, text, client_msg_id: id } = entry;
  const mine = author.id === participant;
  return {
    kind: "message",
    key: mine && id ? `message-${id}` : `entry-${seq}`,
    role: author.role,
    mine,
    ...(author.name && { name: author.name }),
    text,
    at,
    seq,
    delivery: "durable",
    ...(mine && id && { id }),
  };
}

function liveReply({ turn, text }: LiveReply, at: number): ReplyItem {
  const state = text === "" ? "pending" : "streaming";
  return { kind: "reply", key: `turn-${turn}`, turn, state, text, at, seq: null, replaced: false };
}

const OUTCOMES_SHOWN_EMPTY = new Set<Outcome>(["final", "stopped", "failed"]);

function endedReply(entry: EntryOf<"turn_ended">, index: Index): ReplyItem | null {
  const { turn, outcome, failure, text, at, seq } = entry;
  if (text === "" && !OUTCOMES_SHOWN_EMPTY.has(outcome)) return null;
  const underWay = index.ratingsUnderWay.get(seq);
  const rating = underWay ?? index.ratings.get(seq);
  return {
    kind: "reply",
    key: `turn-${turn}`,
    turn,
    state: "ended",
    outcome,
    ...(failure && { failure }),
    text,
    at,
    seq,
    replaced: index.replaced.has(seq),
    ...(rating && { rating, ratingState: underWay ? "sending" : "durable" }),
  };
}

function notice(entry: EntryOf<"control_changed" | "notice_posted">): NoticeItem | null {
  if (!entry.notice) return null;
  return { kind: "notice", key: `entry-${entry.seq}`, text: entry.notice, at: entry.at, seq: entry.seq };
}

/** Where a command without an entry stands: at the end, or where the log was when it failed. */
function placeOf(sent: OutboxItem, items: readonly TimelineItem[]): number {
  if (sent.state !== "failed") return items.length;
  const later = items.findIndex((item) => "seq" in item && item.seq !== null && item.seq > sent.cursor);
  return later < 0 ? items.length : later;
}

function sentItem(sent: OutboxItem, index: Index): TimelineItem | null {
  const { id, frame, at, seq } = sent;
  const failure = failureOf(sent);
  if (frame.type === "say") {
    const delivery = sent.state === "failed" ? "failed" : sent.state === "stored" ? "durable" : "sending";
    const message = { kind: "message", key: `message-${id}`, role: "customer", mine: true } as const;
    return { ...message, text: frame.text, at, seq, delivery, id, ...(failure && { failure }) };
  }
  const isShownByReply = frame.type === "rate" && frame.reply && endedAt(index, frame.reply);
  if (!failure && (!isOpen(sent) || isShownByReply)) return null;
  const state = failure ? "failed" : "sending";
  return { kind: "command", key: `command-${id}`, command: frame.type, state, id, ...(failure && { failure }) };
}

function endedAt({ ended }: Index, seq: number): boolean {
  for (const entry of ended.values()) if (entry.seq === seq) return true;
  return false;
}

function failureOf(sent: OutboxItem): ItemFailure | null {
  if (sent.state !== "failed" || !sent.refusal) return null;
  const { code, message } = sent.refusal;
  return { code, message, canRetry: canRetry(sent) };
}

function isSame(a: TimelineItem, b: TimelineItem): boolean {
  const before = Object.entries(a);
  const after = new Map<string, unknown>(Object.entries(b));
  return before.length === after.size && before.every(([field, value]) => isSameValue(value, after.get(field)));
}

function isSameValue(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === "object" && JSON.stringify(a) === JSON.stringify(b));
}
