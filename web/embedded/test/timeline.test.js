import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, emptyConversation, Outbox } from "../session.js";
import { timeline } from "../timeline.js";
import { HISTORY_EPOCH, ID } from "./fake-server.js";

const entry = (seq, body) => ({ type: "entry", conversation: ID, seq, prev: seq - 1, at: seq, ...body });
const said = (seq, text, more) =>
  entry(seq, { kind: "message_said", author: { id: "c", role: "customer" }, text, ...more });
const opened = (seq, more) => entry(seq, { kind: "turn_opened", answers: seq - 1, ...more });
const ended = (seq, turn, outcome, text) => entry(seq, { kind: "turn_ended", turn, outcome, text });
const start = {
  type: "synced",
  conversation: ID,
  history_epoch: HISTORY_EPOCH,
  position: 0,
  recovered: false,
  entries: [],
  has_older: false,
  control: { state: "assistant" },
  control_version: 0,
};
const shown = (frames, outbox = new Outbox()) =>
  timeline([start, ...frames].reduce(apply, emptyConversation(ID)), outbox);

test("a reply keeps its place and its key from thinking to its end, whatever is said meanwhile", () => {
  const frames = [said(1, "hi"), opened(2), said(3, "and?")];
  const keys = shown(frames).map(({ key }) => key);
  const thinking = shown(frames)[1];
  const delta = { type: "delta", conversation: ID, turn: 2, epoch: 1, attempt: 1, offset: 0, text: "Hel" };
  const streaming = shown([...frames, delta])[1];
  const over = shown([...frames, delta, ended(4, 2, "final", "Hello")]);
  assert.deepEqual([thinking.state, streaming.state, over[1].state], ["thinking", "streaming", "ended"]);
  assert.equal(over[1].text, "Hello");
  assert.deepEqual(over.map(({ key }) => key), keys);
});

test("an unsent message is shown at the end, and its entry takes its place under the same key", () => {
  const outbox = new Outbox();
  outbox.add({ type: "say", client_msg_id: "x", text: "hi" }, 0);
  const [pending] = shown([], outbox);
  const [stored] = shown([said(1, "hi", { client_msg_id: "x" })]);
  assert.equal(pending.status, "sending");
  assert.equal(stored.key, pending.key);
});

test("a message that failed for good stays where it was written", () => {
  const outbox = new Outbox();
  outbox.add({ type: "say", client_msg_id: "x", text: "too long" }, 0, 1);
  outbox.take();
  outbox.settle({ type: "refused", client_msg_id: "x", code: "too_large", message: "too long" });
  const items = shown([said(1, "first"), said(2, "second")], outbox);
  assert.deepEqual(items.map(({ text }) => text), ["first", "too long", "second"]);
  assert.deepEqual([items[1].status, items[1].reason], ["failed", "too long"]);
});

test("a regenerated reply is marked as replaced", () => {
  const items = shown([
    said(1, "hi"),
    opened(2),
    ended(3, 2, "final", "one"),
    opened(4, { answers: 1, replaces: 3 }),
    ended(5, 4, "final", "two"),
  ]);
  const replies = items.filter(({ kind }) => kind === "reply");
  assert.deepEqual(replies.map(({ replaced }) => replaced), [true, false]);
});

test("a turn cut before it said anything is not shown, a stopped one is", () => {
  const frames = (outcome) => [said(1, "hi"), opened(2), ended(3, 2, outcome, "")];
  assert.equal(shown(frames("taken_over")).length, 1);
  assert.equal(shown(frames("stopped")).length, 2);
});

test("staff see why somebody waits", () => {
  const queued = entry(1, {
    kind: "control_changed",
    control: { state: "queue" },
    control_version: 1,
    cause: "escalated",
    reason: "customer_asked",
    summary: "lost parcel",
    notice: "Somebody will be with you.",
  });
  assert.equal(shown([queued])[0].text, "Queued: the customer asked for a person – “lost parcel”");
});

test("an erased conversation shows one line, and no word of what was said", () => {
  const closed = entry(4, { kind: "control_changed", control: { state: "closed" }, control_version: 1, cause: "closed" });
  const erased = entry(5, { kind: "erased", by: { id: "s", role: "supervisor", name: "Grace" } });
  const frames = [said(1, "canary"), opened(2), ended(3, 2, "final", "canary"), closed, erased];
  const state = [start, ...frames].reduce(apply, emptyConversation(ID));
  assert.doesNotMatch(JSON.stringify(state), /canary/);
  const texts = shown(frames).map(({ text }) => text);
  assert.deepEqual(texts, [
    "The server closed the conversation",
    "The content of this conversation was erased by Grace",
  ]);
});
