import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, cursorOf, emptyConversation, prependOlder } from "../session.js";
import { customerView, FakeServer, ID, random } from "./fake-server.js";

const EPOCH = "0198c0de-0000-7000-8000-00000000e90c";
const synced = (fields) => ({
  type: "synced",
  conversation: ID,
  history_epoch: EPOCH,
  position: 0,
  recovered: true,
  entries: [],
  has_older: false,
  control: { state: "assistant" },
  control_version: 0,
  ...fields,
});
const entry = (seq, prev, body = {}) => ({
  type: "entry",
  conversation: ID,
  seq,
  prev,
  at: seq,
  kind: "message_said",
  author: { id: "c", role: "customer" },
  text: `m${seq}`,
  ...body,
});
const opened = (seq, prev = seq - 1) => entry(seq, prev, { kind: "turn_opened", answers: prev });
const ended = (seq, turn, text = "") =>
  entry(seq, seq - 1, { kind: "turn_ended", turn, outcome: "final", text });
const delta = (turn, epoch, attempt, offset, text) => ({
  type: "delta",
  conversation: ID,
  turn,
  epoch,
  attempt,
  offset,
  text,
});
const reset = (turn, epoch, attempt) => ({ type: "reset", conversation: ID, turn, epoch, attempt });
const ping = (seq) => ({ type: "ping", positions: [{ conversation: ID, seq }] });
const run = (frames, from = emptyConversation(ID)) => frames.reduce(apply, from);
const fresh = (...entries) => synced({ recovered: false, reason: "new", entries, position: entries.at(-1)?.seq ?? 0 });

// name, frames, what must hold of the state afterwards
const table = [
  ["an entry at or below the cursor is dropped", [fresh(entry(1, 0)), entry(1, 0)], { seqs: [1], cursor: 1 }],
  ["an entry that joins is taken", [fresh(entry(1, 0)), entry(2, 1)], { seqs: [1, 2], cursor: 2 }],
  ["an entry after hidden ones joins", [fresh(entry(1, 0)), ping(4), entry(5, 1)], { seqs: [1, 5], cursor: 5 }],
  ["an entry after a gap asks to resume", [fresh(entry(1, 0)), entry(4, 3)], { seqs: [1], cursor: 1, needs: true }],
  [
    "a ping does not jump over a gap",
    [fresh(entry(1, 0)), entry(4, 3), ping(4)],
    { seqs: [1], cursor: 1, needs: true },
  ],
  [
    "a resumed log fills the gap",
    [fresh(entry(1, 0)), entry(4, 3), synced({ entries: [entry(2, 1), entry(3, 2), entry(4, 3)], position: 4 })],
    { seqs: [1, 2, 3, 4], cursor: 4, needs: false },
  ],
  ["a ping moves the cursor over hidden entries", [fresh(entry(1, 0)), ping(3)], { seqs: [1], cursor: 3 }],
  ["a ping never moves it back", [fresh(entry(1, 0), entry(2, 1)), ping(1)], { seqs: [1, 2], cursor: 2 }],
  ["an ack moves nothing", [fresh(entry(1, 0)), { type: "ack", conversation: ID, seq: 2 }], { seqs: [1], cursor: 1 }],
  [
    "a snapshot replaces everything",
    [fresh(entry(1, 0)), synced({ recovered: false, entries: [entry(8, 7)], position: 9, has_older: true })],
    { seqs: [8], cursor: 9, older: true },
  ],
  ["another conversation changes nothing", [fresh(entry(1, 0)), { ...entry(2, 1), conversation: "x" }], { seqs: [1] }],
  ["an unknown frame changes nothing", [fresh(entry(1, 0)), { type: "new", conversation: ID }], { seqs: [1] }],
  ["an unknown kind of entry is kept", [fresh(entry(1, 0)), entry(2, 1, { kind: "note" })], { seqs: [1, 2] }],
  ["an open turn has an empty text", [fresh(), opened(1)], { text: "" }],
  ["deltas append", [fresh(), opened(1), delta(1, 1, 1, 0, "ab"), delta(1, 1, 1, 2, "c")], { text: "abc" }],
  ["a known delta is dropped", [fresh(), opened(1), delta(1, 1, 1, 0, "abc"), delta(1, 1, 1, 1, "bc")], { text: "abc" }],
  [
    "an overlapping delta adds what lies beyond",
    [fresh(), opened(1), delta(1, 1, 1, 0, "abc"), delta(1, 1, 1, 1, "bcd")],
    { text: "abcd" },
  ],
  [
    "offsets count bytes, not characters",
    [fresh(), opened(1), delta(1, 1, 1, 0, "é€"), delta(1, 1, 1, 5, "😀"), delta(1, 1, 1, 2, "€😀!")],
    { text: "é€😀!", needs: false },
  ],
  [
    "an overlap inside a character asks to resume",
    [fresh(), opened(1), delta(1, 1, 1, 0, "a"), delta(1, 1, 1, 0, "€")],
    { text: "a", needs: true },
  ],
  [
    "a delta beyond the text asks to resume",
    [fresh(), opened(1), delta(1, 1, 1, 0, "ab"), delta(1, 1, 1, 3, "d")],
    { text: "ab", needs: true },
  ],
  [
    "a higher attempt starts from empty",
    [fresh(), opened(1), delta(1, 1, 1, 0, "ab"), delta(1, 1, 2, 0, "x")],
    { text: "x" },
  ],
  [
    "a higher epoch starts from empty, whatever the attempt",
    [fresh(), opened(1), delta(1, 1, 2, 0, "ab"), delta(1, 2, 1, 0, "x")],
    { text: "x" },
  ],
  [
    "a higher attempt seen from its middle asks to resume",
    [fresh(), opened(1), delta(1, 1, 1, 0, "ab"), delta(1, 1, 2, 2, "x")],
    { text: "", needs: true },
  ],
  ["a lower attempt is dropped", [fresh(), opened(1), delta(1, 1, 2, 0, "x"), delta(1, 1, 1, 1, "b")], { text: "x" }],
  ["a lower epoch is dropped", [fresh(), opened(1), delta(1, 2, 1, 0, "x"), delta(1, 1, 3, 1, "b")], { text: "x" }],
  ["a reset clears", [fresh(), opened(1), delta(1, 1, 1, 0, "ab"), reset(1, 2, 2)], { text: "" }],
  ["a late reset is dropped", [fresh(), opened(1), delta(1, 2, 2, 0, "ab"), reset(1, 1, 1)], { text: "ab" }],
  [
    "the committed end replaces the text",
    [fresh(), opened(1), delta(1, 1, 1, 0, "ab"), ended(2, 1, "other")],
    { text: null, seqs: [1, 2] },
  ],
  [
    "deltas of an ended turn are dropped",
    [fresh(), opened(1), ended(2, 1), delta(1, 9, 9, 0, "ghost"), reset(1, 9, 9)],
    { text: null },
  ],
  [
    "deltas of a turn that ended before the snapshot are dropped",
    [synced({ recovered: false, entries: [entry(8, 7)], position: 8 }), delta(3, 1, 1, 0, "ghost")],
    { text: null },
  ],
  ["a delta may come before its turn's entry", [fresh(), delta(1, 1, 1, 0, "ab"), opened(1)], { text: "ab" }],
  [
    "the snapshot brings the reply in progress",
    [
      synced({ entries: [opened(1)], position: 1, turn: { turn: 1, epoch: 1, attempt: 1, text: "é" } }),
      delta(1, 1, 1, 2, "!"),
    ],
    { text: "é!" },
  ],
  [
    "a synced without a turn ends what was shown of one",
    [fresh(), opened(1), delta(1, 1, 1, 0, "ab"), synced({ position: 1 })],
    { text: null },
  ],
  [
    "staff: a later attempt withdraws the text",
    [fresh(), opened(1), delta(1, 1, 1, 0, "ab"), entry(2, 1, { kind: "attempt_started", turn: 1, attempt: 2 })],
    { text: "" },
  ],
];

for (const [name, frames, expected] of table) {
  test(name, () => {
    const state = run(frames);
    if ("seqs" in expected) assert.deepEqual(state.entries.map(({ seq }) => seq), expected.seqs);
    if ("cursor" in expected) assert.equal(state.cursor, expected.cursor);
    if ("needs" in expected) assert.equal(state.needsResume, expected.needs);
    if ("older" in expected) assert.equal(state.hasOlder, expected.older);
    if ("text" in expected) assert.equal(state.live?.text ?? null, expected.text);
  });
}

test("there is no cursor before the first synced, and one with its epoch afterwards", () => {
  assert.equal(cursorOf(emptyConversation(ID)), undefined);
  assert.deepEqual(cursorOf(run([fresh(entry(1, 0))])), { history_epoch: EPOCH, seq: 1 });
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
  const typing = { type: "typing", conversation: ID, participant: "c", role: "agent", active: true };
  assert.equal(run([fresh(), typing]).typing.participant, "c");
  assert.equal(run([fresh(), typing, entry(1, 0)]).typing, null);
});

test("older pages come before what is held, without doubles", () => {
  const state = prependOlder(run([fresh(entry(3, 2))]), [entry(1, 0), entry(2, 1), entry(3, 2)], false);
  assert.deepEqual(state.entries.map(({ seq }) => seq), [1, 2, 3]);
});

for (let seed = 1; seed <= 200; seed += 1) {
  test(`seed ${seed}: cuts, doubles and lost frames end with exactly the server's log and text`, () => {
    const draw = random(seed);
    const server = new FakeServer(draw);
    let state = emptyConversation(ID);
    for (let step = 0; step < 300; step += 1) {
      server.step();
      for (const frame of server.deliver()) state = apply(state, frame);
      if (draw() < 0.05) server.cut();
      if (!server.isConnected || (state.needsResume && draw() < 0.5)) {
        for (const frame of server.connect(cursorOf(state))) state = apply(state, frame);
      }
    }
    for (const frame of server.connect(cursorOf(state))) state = apply(state, frame);
    const log = customerView(server.log);
    assert.deepEqual(state.entries.map(({ seq, kind, text }) => ({ seq, kind, text })), log.slice(-state.entries.length));
    if (!server.everTooOld) assert.equal(state.entries.length, log.length);
    assert.equal(state.live?.text ?? null, server.turn?.text ?? null);
    assert.equal(state.needsResume, false);
  });
}
