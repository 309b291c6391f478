// An erased conversation: no text is left in what a page holds, and one line stands in its place.

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { apply, emptyConversation, prependOlder } from "../src/conversation.ts";
import type { LogEntry, ServerFrame, Synced } from "../src/generated/protocol.ts";
import { messagesToOfferAgain } from "../src/recovery.ts";
import { Session } from "../src/session.ts";
import { createTimeline } from "../src/timeline.ts";
import { CUSTOMER, HISTORY_EPOCH, ID } from "./model-server.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const WORDS = "canary";
const customer = { id: CUSTOMER, role: "customer", name: WORDS } as const;
const anna = { id: "a9", role: "agent", name: "Anna" } as const;
const SAID: LogEntry[] = [
  { seq: 1, prev: 0, at: 1, kind: "opened", language: "en" },
  { seq: 2, prev: 1, at: 2, client_msg_id: "m1", kind: "message_said", author: customer, text: WORDS },
  { seq: 3, prev: 2, at: 3, kind: "turn_opened", answers: 2 },
  { seq: 4, prev: 3, at: 4, kind: "turn_ended", turn: 3, outcome: "final", text: WORDS },
  { seq: 5, prev: 4, at: 5, kind: "rated", reply: 4, score: "up", comment: WORDS },
  {
    seq: 6,
    prev: 5,
    at: 6,
    kind: "control_changed",
    control: { state: "queue" },
    control_version: 1,
    cause: "escalated",
    by: customer,
    summary: WORDS,
  },
  { seq: 7, prev: 6, at: 7, kind: "message_said", author: anna, text: WORDS },
];
const CLOSED: LogEntry = {
  seq: 8,
  prev: 7,
  at: 8,
  kind: "control_changed",
  control: { state: "closed" },
  control_version: 2,
  cause: "closed",
};
const ERASED: LogEntry = { seq: 9, prev: 8, at: 9, kind: "erased" };

const frame = (body: LogEntry): ServerFrame => ({ type: "entry", conversation: ID, ...body });
const synced = (entries: LogEntry[], more: Partial<Synced> = {}): Synced & { type: "synced" } => ({
  type: "synced",
  conversation: ID,
  history_epoch: HISTORY_EPOCH,
  position: entries.at(-1)?.seq ?? 0,
  recovered: false,
  reason: "new",
  entries,
  has_older: true,
  control: { state: "assistant" },
  control_version: 0,
  ...more,
});
const begun = () => apply(emptyConversation(ID), synced(SAID));
const erased = () => [CLOSED, ERASED].map(frame).reduce(apply, begun());

test("the entry that says so takes the texts out of all that is held", () => {
  expect(JSON.stringify(begun())).toContain(WORDS);
  const state = erased();
  expect(state).toMatchObject({ erased: true, hasOlder: false, cursor: 9, control: { state: "closed" } });
  expect(JSON.stringify(state)).not.toContain(WORDS);
  expect(state.entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(JSON.stringify(state.entries)).toContain("Anna");
});

test("who was away while it was erased holds no text after the next synchronisation", () => {
  const state = apply(begun(), synced([CLOSED, ERASED], { recovered: true, control: { state: "closed" } }));
  expect(state.erased).toBe(true);
  expect(JSON.stringify(state)).not.toContain(WORDS);
});

test("a page that was read before the erasure brings no text after it", () => {
  const held = { ...erased(), entries: erased().entries.slice(4) };
  const state = prependOlder(held, SAID.slice(0, 4), true);
  expect(state.entries.length).toBe(9);
  expect(state.hasOlder).toBe(false);
  expect(JSON.stringify(state)).not.toContain(WORDS);
});

test("a reply in progress is gone with it", () => {
  const opened: LogEntry = { seq: 8, prev: 7, at: 8, kind: "turn_opened", answers: 2 };
  const delta: ServerFrame = { type: "delta", conversation: ID, turn: 8, epoch: 1, attempt: 1, offset: 0, text: WORDS };
  const ended: LogEntry = { seq: 9, prev: 8, at: 9, kind: "turn_ended", turn: 8, outcome: "closed", text: "" };
  const closed = { ...CLOSED, seq: 10, prev: 9 };
  const gone = { ...ERASED, seq: 11, prev: 10 };
  const streaming = apply(apply(begun(), frame(opened)), delta);
  expect(streaming.live?.text).toBe(WORDS);
  const state = [ended, closed, gone].map(frame).reduce(apply, streaming);
  expect(JSON.stringify(state)).not.toContain(WORDS);
  expect(state.live).toBe(null);
});

test("one line stands in place of everything", () => {
  const items = createTimeline()({ conversation: erased(), outbox: [], participant: CUSTOMER });
  expect(items).toEqual([{ kind: "erased", key: "entry-9", at: 9, seq: 9 }]);
});

test("what is erased is not offered to a restored history", () => {
  const before = erased();
  const now = apply(emptyConversation(ID), synced([], { history_epoch: "another", reason: "other_epoch" }));
  expect(messagesToOfferAgain(before, now, CUSTOMER)).toEqual([]);
});

test("what waits to be sent, here and left by other tabs, is dropped", async () => {
  const save = vi.fn();
  const ports = { transmit: () => true, restart: vi.fn(), changed: vi.fn(), problem: vi.fn(), save };
  const session = new Session({ ...ports, adopt: () => Promise.resolve() }, true);
  session.follow(ID);
  session.promoted();
  session.receive(synced(SAID));
  await vi.advanceTimersByTimeAsync(0);
  session.send({ type: "say", client_msg_id: "m2", text: WORDS });
  const item = session.outbox[0];
  expect(session.outbox.length).toBe(1);
  save.mockClear();
  session.receive(frame(CLOSED));
  session.receive(frame(ERASED));
  expect(session.outbox).toEqual([]);
  expect(save).toHaveBeenCalled();
  expect(session.adopt({ owner: null, conversation: ID, items: item ? [item] : [] })).toBe(true);
  expect(session.outbox).toEqual([]);
});
