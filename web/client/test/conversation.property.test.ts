// However sockets are cut, replaced, doubled and delayed, a reader ends with the server's log, and what it shows of a reply
// on the way never doubles and never shrinks but by a reset.

import fc from "fast-check";
import { expect, test } from "vitest";

import { apply, type ConversationState, cursorOf, emptyConversation, prependOlder } from "../src/conversation.ts";
import type { ServerFrame } from "../src/generated/protocol.ts";
import { expectedEntries, ID, ModelServer, type ModelSocket } from "./model-server.ts";

const WORDS = ["so ", "naïve ", "€ 5 ", "😀 ", "日本 ", "fine. "];
const RUNS = 300;
const TIMEOUT_MS = 60_000;
const EVENTS = { maxLength: 200, size: "max" } as const;

const event = fc.oneof(
  { weight: 3, arbitrary: fc.constant("say" as const) },
  { weight: 12, arbitrary: fc.constantFrom(...WORDS).map((word) => ({ word })) },
  { weight: 2, arbitrary: fc.constant("end" as const) },
  { weight: 1, arbitrary: fc.constantFrom("lose owner" as const, "change control" as const) },
  { weight: 1, arbitrary: fc.constant("ping" as const) },
  { weight: 8, arbitrary: fc.record({ read: fc.integer({ min: 1, max: 6 }), doubled: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constantFrom("cut" as const, "open another" as const, "lose frame" as const) },
  { weight: 2, arbitrary: fc.constant("read other" as const) },
  { weight: 1, arbitrary: fc.constant("late frames" as const) },
);
type Event = typeof event extends fc.Arbitrary<infer Value> ? Value : never;

/** A reader with the sockets that a connection has: one in step, at most one that is to replace it, and dead ones. */
class Reader {
  readonly server = new ModelServer();
  state: ConversationState = emptyConversation(ID);
  #socket: ModelSocket = this.server.connect(undefined);
  #other: ModelSocket | null = null;
  /** Frames of sockets that are over, still on their way. */
  #late: ServerFrame[] = [];

  happen(what: Event): void {
    if (typeof what === "object" && "word" in what) this.server.write(what.word);
    if (typeof what === "object" && "read" in what) this.#read(what);
    if (what === "say") this.server.say();
    if (what === "end") this.server.endTurn();
    if (what === "lose owner") this.server.loseOwner();
    if (what === "change control") this.server.changeControl();
    if (what === "ping") this.server.ping();
    if (what === "cut") this.cut();
    if (what === "open another") this.#other ??= this.server.connect(cursorOf(this.state));
    if (what === "read other") this.#promote();
    if (what === "lose frame") this.#loseFrame();
    if (what === "late frames") for (const frame of this.#late.splice(0)) this.#apply(frame);
  }

  cut(): void {
    this.#bury(this.#socket);
    this.#socket = this.#other ?? this.server.connect(cursorOf(this.state));
    this.#other = null;
  }

  readAll(): void {
    while (this.#socket.unread.length > 0) this.#read({ read: this.#socket.unread.length, doubled: false });
  }

  #read({ read, doubled }: { read: number; doubled: boolean }): void {
    for (const frame of this.#socket.unread.splice(0, read)) {
      this.#apply(frame);
      if (doubled && frame.type !== "synced" && frame.type !== "reset") this.#apply(frame);
    }
    if (this.state.needsResume && !this.#socket.unread.some(({ type }) => type === "synced")) {
      this.server.resume(this.#socket, cursorOf(this.state));
    }
  }

  #promote(): void {
    if (!this.#other) return;
    this.#bury(this.#socket);
    this.#socket = this.#other;
    this.#other = null;
    this.#read({ read: 1, doubled: false });
  }

  /** Only what is provisional can be lost on a socket that lives: the server conflates for slow readers. */
  #loseFrame(): void {
    const index = this.#socket.unread.findIndex(({ type }) => type === "delta");
    if (index >= 0) this.#socket.unread.splice(index, 1);
  }

  #bury(socket: ModelSocket): void {
    this.server.disconnect(socket);
    this.#late.push(...socket.unread.filter(({ type }) => type === "entry" || type === "delta"));
  }

  #apply(frame: ServerFrame): void {
    const before = this.state;
    this.state = apply(before, frame);
    expect(this.state.entries).toEqual(expectedEntries(this.server, this.state));
    if (frame.type === "reset") return;
    const [held, live] = [before.live, this.state.live];
    if (!held || !live || held.turn !== live.turn || held.epoch !== live.epoch || held.attempt !== live.attempt) return;
    expect(live.text.startsWith(held.text), `"${held.text}" became "${live.text}"`).toBe(true);
  }
}

test("every way to lose, double and delay frames ends with the server's log and text", { timeout: TIMEOUT_MS }, () => {
  fc.assert(
    fc.property(fc.array(event, EVENTS), (events) => {
      const reader = new Reader();
      for (const what of events) reader.happen(what);
      reader.cut();
      reader.server.ping();
      reader.readAll();
      const { server, state } = reader;
      expect(state.entries).toEqual(server.visible.slice(server.visible.length - state.entries.length));
      expect(state.hasOlder || state.entries.length === server.visible.length).toBe(true);
      expect(state.live?.text ?? null).toBe(server.turn?.text ?? null);
      expect([state.control, state.needsResume, state.cursor]).toEqual([server.control, false, server.log.length]);
    }),
    { numRuns: RUNS },
  );
});

test("the text shown is always what the server has written in that attempt", { timeout: TIMEOUT_MS }, () => {
  fc.assert(
    fc.property(fc.array(event, EVENTS), (events) => {
      const reader = new Reader();
      const written = new Map<string, string>();
      for (const what of events) {
        reader.happen(what);
        const { turn } = reader.server;
        if (turn) written.set(`${turn.turn} ${turn.attempt}`, turn.text);
        const { live } = reader.state;
        const whole = live && live.text !== "" ? written.get(`${live.turn} ${live.attempt}`) : "";
        expect(whole?.startsWith(live?.text ?? "")).toBe(true);
      }
    }),
    { numRuns: RUNS },
  );
});

test("pages of older entries, asked for at any time, leave no hole and no double", { timeout: TIMEOUT_MS }, () => {
  fc.assert(
    fc.property(fc.array(event, EVENTS), fc.integer({ min: 1, max: 9 }), (events, size) => {
      const reader = new Reader();
      for (const what of events) reader.happen(what);
      reader.readAll();
      for (let state = reader.state; state.hasOlder; reader.state = state) {
        const first = state.entries[0]?.seq ?? 0;
        const older = reader.server.visible.filter(({ seq }) => seq < first);
        state = prependOlder(state, older.slice(-size), older.length > size);
      }
      expect(reader.state.entries).toEqual(expectedEntries(reader.server, reader.state));
    }),
  );
});
