// The rules of the cursor and of the reply in progress, case by case. The cases are shared with the other clients.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import { apply, cursorOf, emptyConversation, prependOlder } from "../src/conversation.ts";
import type { LogEntry, ServerFrame, Synced } from "../src/generated/protocol.ts";
import { CUSTOMER, HISTORY_EPOCH, ID } from "./model-server.ts";

interface Case {
  readonly name: string;
  readonly frames: ServerFrame[];
  readonly expect: { seqs?: number[]; cursor?: number; needs?: boolean; older?: boolean; text?: string | null };
}
const CASES: Case[] = JSON.parse(readFileSync(new URL("../../embedded/test/cases.json", import.meta.url), "utf8"));

const run = (frames: readonly ServerFrame[], from = emptyConversation(ID)) => frames.reduce(apply, from);
const entry = (body: LogEntry): ServerFrame => ({ type: "entry", conversation: ID, ...body });
const said = (seq: number, prev: number): LogEntry => ({
  seq,
  prev,
  at: seq,
  kind: "message_said",
  author: { id: CUSTOMER, role: "customer" },
  text: `m${seq}`,
});
const synced = (entries: LogEntry[], more: Partial<Synced> = {}): ServerFrame => ({
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
  ...more,
});
const delta = (turn: number, offset: number, text: string, attempt = 1): ServerFrame => ({
  type: "delta",
  conversation: ID,
  turn,
  epoch: 1,
  attempt,
  offset,
  text,
});

test.each(CASES)("$name", ({ frames, expect: wanted }) => {
  const state = run(frames);
  const found = {
    seqs: state.entries.map(({ seq }) => seq),
    cursor: state.cursor,
    needs: state.needsResume,
    older: state.hasOlder,
    text: state.live?.text ?? null,
  };
  expect(found).toMatchObject(wanted);
});

test("a state is never changed in place", () => {
  const before = run([synced([said(1, 0)])]);
  const copy = structuredClone(before);
  apply(before, entry(said(2, 1)));
  apply(before, delta(2, 0, "x"));
  expect(before).toEqual(copy);
});

test("entries of a kind that is not known are held and move the cursor", () => {
  const later: LogEntry = JSON.parse('{"seq":2,"prev":1,"at":2,"kind":"note_added"}');
  const state = run([synced([said(1, 0)]), entry(later)]);
  expect([state.cursor, state.entries.length]).toEqual([2, 2]);
});

test("there is no cursor before the first synced, and one with its epoch afterwards", () => {
  expect(cursorOf(emptyConversation(ID))).toBeUndefined();
  expect(cursorOf(run([synced([said(1, 0)])]))).toEqual({ history_epoch: HISTORY_EPOCH, seq: 1 });
});

test("offsets count bytes, so that what is known in part is completed and not doubled", () => {
  const state = run([synced([]), delta(1, 0, "Grüße"), delta(1, 4, "ße 😀"), delta(1, 7, " 😀!")]);
  expect(state.live?.text).toBe("Grüße 😀!");
  expect(state.needsResume).toBe(false);
});

test("a synced that a replaced socket overtook takes nothing back", () => {
  const opened: LogEntry = { seq: 3, prev: 1, at: 3, kind: "turn_opened", answers: 1 };
  const queued: LogEntry = {
    seq: 2,
    prev: 1,
    at: 2,
    kind: "control_changed",
    control: { state: "queue" },
    control_version: 1,
    cause: "escalated",
  };
  const state = run([
    synced([said(1, 0)]),
    entry(queued),
    entry({ ...opened, prev: 2 }),
    delta(3, 0, "Hello"),
    synced([], { position: 1, recovered: true }),
  ]);
  expect(state.control).toEqual({ state: "queue" });
  expect(state.live).toMatchObject({ turn: 3, text: "Hello" });
  expect(state.cursor).toBe(3);
});

test("a synced with less text of the same attempt takes no text back", () => {
  const turn = { turn: 2, epoch: 1, attempt: 1, text: "Hel" };
  const before = [synced([said(1, 0)]), entry({ seq: 2, prev: 1, at: 2, kind: "turn_opened", answers: 1 })] as const;
  const state = run([...before, delta(2, 0, "Hello"), synced([], { position: 2, recovered: true, turn })]);
  expect(state.live?.text).toBe("Hello");
  const again = apply(state, synced([], { position: 2, recovered: true, turn: { ...turn, attempt: 2 } }));
  expect(again.live?.text).toBe("Hel");
});

test("control, its version and the queue position follow the log", () => {
  const place: ServerFrame = { type: "queue_position", conversation: ID, position: 3 };
  const queued = {
    kind: "control_changed",
    control: { state: "queue" },
    control_version: 1,
    cause: "escalated",
  } as const;
  const waiting = run([synced([]), entry({ seq: 1, prev: 0, at: 1, ...queued }), place]);
  expect(waiting).toMatchObject({ control: { state: "queue" }, controlVersion: 1, queuePosition: 3 });
  const claimed = { kind: "control_changed", control: { state: "agent", id: "a" }, cause: "claimed" } as const;
  const answered = apply(waiting, entry({ seq: 2, prev: 1, at: 2, ...claimed, control_version: 2 }));
  expect(answered).toMatchObject({ control: { state: "agent" }, controlVersion: 2, queuePosition: null });
});

test("somebody's message, or word that they have stopped, ends the sign that they are typing", () => {
  const typing = { type: "typing", conversation: ID, participant: CUSTOMER, role: "customer", active: true } as const;
  expect(run([synced([]), typing]).typing?.participant).toBe(CUSTOMER);
  expect(run([synced([]), typing, entry(said(1, 0))]).typing).toBeNull();
  expect(run([synced([]), typing, { ...typing, active: false }]).typing).toBeNull();
  expect(run([synced([]), typing, { ...typing, participant: "b", active: false }]).typing).not.toBeNull();
});

test("older pages come before what is held, without doubles", () => {
  const state = prependOlder(run([synced([said(3, 2)])]), [said(1, 0), said(2, 1), said(3, 2)], false);
  expect(state.entries.map(({ seq }) => seq)).toEqual([1, 2, 3]);
});
