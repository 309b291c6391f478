// The rules of the cursor and of the reply in progress. `cases.json` is shared with the terminal client's tests.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { apply, cursorOf, emptyConversation, prependOlder } from "../session.js";
import { customerView, FakeServer, HISTORY_EPOCH, ID, random } from "./fake-server.js";

const CASES = JSON.parse(readFileSync(new URL("cases.json", import.meta.url)));
const SEEDS = 200;
const STEPS = 300;

const run = (frames, from = emptyConversation(ID)) => frames.reduce(apply, from);
const entry = (seq, prev, body) => ({ type: "entry", conversation: ID, seq, prev, at: seq, ...body });
const said = (seq, prev) =>
  entry(seq, prev, { kind: "message_said", author: { id: "c", role: "customer" }, text: `m${seq}` });
const fresh = (...entries) => ({
  type: "synced",
  conversation: ID,
  history_epoch: HISTORY_EPOCH,
  position: entries.at(-1)?.seq ?? 0,
  recovered: false,
  reason: "new",
  entries,
  has_older: false,
  control: { state: "assistant" },
  control_version: 0,
});

for (const { name, frames, expect } of CASES) {
  test(name, () => {
    const state = run(frames);
    if ("seqs" in expect) assert.deepEqual(state.entries.map(({ seq }) => seq), expect.seqs);
    if ("cursor" in expect) assert.equal(state.cursor, expect.cursor);
    if ("needs" in expect) assert.equal(state.needsResume, expect.needs);
    if ("older" in expect) assert.equal(state.hasOlder, expect.older);
    if ("text" in expect) assert.equal(state.live?.text ?? null, expect.text);
  });
}

test("a state is never changed in place", () => {
  const before = run([fresh(said(1, 0))]);
  const copy = structuredClone(before);
  apply(before, said(2, 1));
  apply(before, { type: "delta", conversation: ID, turn: 2, epoch: 1, attempt: 1, offset: 0, text: "x" });
  assert.deepEqual(before, copy);
});

test("frames and kinds of entries of a later version change nothing they should not", () => {
  const state = run([fresh(said(1, 0)), { type: "whisper", conversation: ID }, entry(2, 1, { kind: "note_added" })]);
  assert.deepEqual([state.cursor, state.entries.length], [2, 2]);
});

test("there is no cursor before the first synced, and one with its epoch afterwards", () => {
  assert.equal(cursorOf(emptyConversation(ID)), undefined);
  assert.deepEqual(cursorOf(run([fresh(said(1, 0))])), { history_epoch: HISTORY_EPOCH, seq: 1 });
});

test("control, its version and the queue position follow the log", () => {
  const queued = entry(1, 0, { kind: "control_changed", control: { state: "queue" }, control_version: 1 });
  const place = { type: "queue_position", conversation: ID, position: 3 };
  const claimed = entry(2, 1, { kind: "control_changed", control: { state: "agent", id: "a" }, control_version: 2 });
  const waiting = run([fresh(), queued, place]);
  assert.deepEqual([waiting.control.state, waiting.controlVersion, waiting.queuePosition], ["queue", 1, 3]);
  const answered = apply(waiting, claimed);
  assert.deepEqual([answered.control.state, answered.controlVersion, answered.queuePosition], ["agent", 2, null]);
});

test("somebody's message ends the sign that they are typing", () => {
  const typing = { type: "typing", conversation: ID, participant: "c", role: "customer", active: true };
  assert.equal(run([fresh(), typing]).typing.participant, "c");
  assert.equal(run([fresh(), typing, said(1, 0)]).typing, null);
});

test("older pages come before what is held, without doubles", () => {
  const state = prependOlder(run([fresh(said(3, 2))]), [said(1, 0), said(2, 1), said(3, 2)], false);
  assert.deepEqual(state.entries.map(({ seq }) => seq), [1, 2, 3]);
});

test("cuts, doubles and lost frames end with exactly the server's log and text", () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) interleave(seed);
});

function interleave(seed) {
  const draw = random(seed);
  const server = new FakeServer(draw);
  let state = emptyConversation(ID);
  for (let step = 0; step < STEPS; step += 1) {
    server.step();
    state = run(server.deliver(), state);
    if (draw() < 0.05) server.cut();
    if (!server.isConnected || (state.needsResume && draw() < 0.5)) state = run(server.connect(cursorOf(state)), state);
  }
  state = run(server.connect(cursorOf(state)), state);
  const log = customerView(server.log);
  const held = state.entries.map(({ seq, kind, text }) => ({ seq, kind, text }));
  assert.deepEqual(held, log.slice(-held.length), `seed ${seed}`);
  assert.equal(server.everTooOld || held.length === log.length, true, `seed ${seed}`);
  assert.equal(state.live?.text ?? null, server.turn?.text ?? null, `seed ${seed}`);
  assert.equal(state.needsResume, false, `seed ${seed}`);
}
