// What a page shows: items in order, with stable keys, the same objects while nothing about them has changed.

import { expect, test } from "vitest";

import { type ConversationState, emptyConversation } from "../src/conversation.ts";
import type { Command } from "../src/frames.ts";
import type { LogEntry } from "../src/generated/protocol.ts";
import { added, type Outbox, settled, taken } from "../src/outbox.ts";
import { emptyReply } from "../src/reply.ts";
import { createTimeline } from "../src/timeline.ts";
import { CUSTOMER, ID } from "./model-server.ts";

const customer = { id: CUSTOMER, role: "customer" } as const;
const anna = { id: "a9", role: "agent", name: "Anna" } as const;
const SAID: LogEntry = {
  seq: 1,
  prev: 0,
  at: 1,
  client_msg_id: "m1",
  kind: "message_said",
  author: customer,
  text: "Hi",
};
const OPENED: LogEntry = { seq: 2, prev: 1, at: 2, kind: "turn_opened", answers: 1 };
const ENDED: LogEntry = { seq: 3, prev: 2, at: 3, kind: "turn_ended", turn: 2, outcome: "final", text: "Hello!" };
const rate: Command = { type: "rate", client_msg_id: "r1", reply: 3, score: "up" };

const held = (entries: LogEntry[], more: Partial<ConversationState> = {}): ConversationState => ({
  ...emptyConversation(ID),
  historyEpoch: "e",
  entries,
  cursor: entries.at(-1)?.seq ?? 0,
  ...more,
});
const live = (text: string) => ({ ...emptyReply({ turn: 2, epoch: 1, attempt: 1 }), text });
const outboxOf = (frame: Command, cursor = 1): Outbox => added([], frame, 9, cursor);
const show = (conversation: ConversationState | null, outbox: Outbox = []) =>
  createTimeline()({ conversation, outbox, participant: CUSTOMER });

test("a message keeps its key from sending to durable", () => {
  const timeline = createTimeline();
  const source = { conversation: held([]), outbox: outboxOf({ type: "say", client_msg_id: "m1", text: "Hi" }) };
  const before = timeline({ ...source, participant: CUSTOMER });
  const after = timeline({ conversation: held([SAID]), outbox: [], participant: CUSTOMER });
  expect(before).toMatchObject([{ key: "message-m1", delivery: "sending", seq: null, mine: true }]);
  expect(after).toMatchObject([{ key: "message-m1", delivery: "durable", seq: 1, mine: true }]);
});

test("an acknowledged message is durable before its entry is seen, and shown once when both are there", () => {
  const sent = outboxOf({ type: "say", client_msg_id: "m1", text: "Hi" });
  const outbox = settled(taken(sent).outbox, { id: "m1", seq: 1 }).outbox;
  expect(show(held([]), outbox)).toMatchObject([{ delivery: "durable", seq: 1 }]);
  expect(show(held([SAID]), outbox).length).toBe(1);
});

test("a reply stands where its turn opened, from pending to ended, under one key", () => {
  const later: LogEntry = { ...SAID, seq: 4, prev: 2, client_msg_id: "m2" };
  const at = (state: ConversationState) => show(state)[1];
  expect(at(held([SAID, OPENED, later], { live: live("") }))).toMatchObject({ key: "turn-2", state: "pending" });
  expect(at(held([SAID, OPENED, later], { live: live("Hel") }))).toMatchObject({ key: "turn-2", state: "streaming" });
  const ended = at(held([SAID, OPENED, ENDED, later]));
  expect(ended).toMatchObject({ key: "turn-2", state: "ended", outcome: "final", seq: 3, text: "Hello!" });
});

test("a reply whose beginning is on an older page is shown all the same", () => {
  expect(show(held([ENDED]))).toMatchObject([{ key: "turn-2", state: "ended" }]);
  expect(show(held([], { live: live("Hel") }))).toMatchObject([{ key: "turn-2", state: "streaming" }]);
});

test("a regenerated reply is replaced, and one that ended before its first byte is not shown", () => {
  const again: LogEntry = { seq: 4, prev: 3, at: 4, kind: "turn_opened", answers: 1, replaces: 3 };
  const superseded: LogEntry = { seq: 5, prev: 4, at: 5, kind: "turn_ended", turn: 4, outcome: "superseded", text: "" };
  expect(show(held([OPENED, ENDED, again, superseded]))).toMatchObject([{ key: "turn-2", replaced: true }]);
});

test("a failed reply says why", () => {
  const failed: LogEntry = { ...ENDED, outcome: "failed", failure: "timed_out", text: "" };
  expect(show(held([OPENED, failed]))).toMatchObject([{ outcome: "failed", failure: "timed_out" }]);
});

test("a rating is shown by its reply: on its way, then durable", () => {
  const rated: LogEntry = { seq: 4, prev: 3, at: 4, client_msg_id: "r1", kind: "rated", reply: 3, score: "down" };
  expect(show(held([OPENED, ENDED, rated]))).toMatchObject([{ rating: "down", ratingState: "durable" }]);
  const waiting = show(held([OPENED, ENDED, rated]), outboxOf({ ...rate, client_msg_id: "r2" }));
  expect(waiting).toMatchObject([{ rating: "up", ratingState: "sending" }]);
});

test("a command is an item while it is under way, and one with its reason after it failed", () => {
  const sent = taken(outboxOf({ type: "escalate", client_msg_id: "e1" })).outbox;
  expect(show(held([]), sent)).toMatchObject([{ kind: "command", command: "escalate", state: "sending", id: "e1" }]);
  const { outbox } = settled(sent, { id: "e1", refusal: { code: "closed", message: "over" } });
  expect(show(held([]), outbox)).toMatchObject([
    { kind: "command", state: "failed", failure: { code: "closed", message: "over", canRetry: false } },
  ]);
});

test("a failed rating of a reply is an item of its own, not a rating", () => {
  const { outbox } = settled(taken(outboxOf(rate, 3)).outbox, { id: "r1", refusal: { code: "full", message: "full" } });
  const items = show(held([OPENED, ENDED]), outbox);
  expect(items).toMatchObject([{ kind: "reply" }, { kind: "command", command: "rate", state: "failed" }]);
  expect(items[0]).not.toHaveProperty("rating");
});

test("a failed message stands where the log was when it was written", () => {
  const sent = taken(outboxOf({ type: "say", client_msg_id: "m9", text: "x" })).outbox;
  const { outbox } = settled(sent, { id: "m9", refusal: { code: "bad_request", message: "no" } });
  const keys = show(held([SAID, OPENED, ENDED]), outbox).map(({ key }) => key);
  expect(keys).toEqual(["message-m1", "message-m9", "turn-2"]);
});

test("notices and other people's messages are shown, what has no text is not", () => {
  const joined: LogEntry = {
    seq: 1,
    prev: 0,
    at: 1,
    kind: "control_changed",
    control: { state: "agent", id: "a9" },
    control_version: 1,
    cause: "claimed",
    by: anna,
    notice: "Anna has joined.",
  };
  const { notice: _notice, ...silent } = joined;
  const hers: LogEntry = {
    seq: 2,
    prev: 1,
    at: 2,
    client_msg_id: "m1",
    kind: "message_said",
    author: anna,
    text: "Hello",
  };
  expect(show(held([joined, hers]))).toMatchObject([
    { kind: "notice", text: "Anna has joined." },
    { kind: "message", mine: false, role: "agent", name: "Anna", key: "entry-2" },
  ]);
  expect(show(held([silent]))).toEqual([]);
});

test("items that have not changed are the same objects, and so is a list of them", () => {
  const timeline = createTimeline();
  const source = { outbox: [], participant: CUSTOMER };
  const first = timeline({ ...source, conversation: held([SAID, OPENED], { live: live("Hel") }) });
  const second = timeline({ ...source, conversation: held([SAID, OPENED], { live: live("Hello") }) });
  const third = timeline({ ...source, conversation: held([SAID, OPENED], { live: live("Hello") }) });
  expect(second[0]).toBe(first[0]);
  expect(second[1]).not.toBe(first[1]);
  expect(third).toBe(second);
});

test("more text of a reply replaces that item alone, and does not look at the entries again", () => {
  let reads = 0;
  const said: LogEntry = {
    ...SAID,
    get text() {
      reads += 1;
      return "Hi";
    },
  };
  const later: LogEntry = { ...SAID, seq: 4, prev: 2, client_msg_id: "m2" };
  const timeline = createTimeline();
  const conversation = held([said, OPENED, later], { live: live("Hel") });
  const source = { conversation, outbox: [], participant: CUSTOMER };
  const before = timeline(source);
  reads = 0;
  const after = timeline({ ...source, conversation: { ...conversation, live: live("Hello") } });
  expect(reads).toBe(0);
  expect(after).toEqual([before[0], { ...before[1], text: "Hello" }, before[2]]);
  expect([after[0] === before[0], after[2] === before[2]]).toEqual([true, true]);
  const entries = [said, OPENED, later, ENDED];
  const ended = timeline({ ...source, conversation: { ...conversation, entries, live: null } });
  expect(ended[1]).toMatchObject({ state: "ended", text: "Hello!" });
  expect(ended[0]).toBe(before[0]);
});
