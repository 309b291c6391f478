// Commands without an outcome: in order, under one name, until their end is known.

import fc from "fast-check";
import { expect, test } from "vitest";

import type { Command } from "../src/frames.ts";
import type { ErrorCode } from "../src/generated/protocol.ts";
import {
  added,
  adopted,
  canRetry,
  discarded,
  disconnected,
  MAX_ATTEMPTS,
  MAX_IN_FLIGHT,
  type Outbox,
  offeredAgain,
  reached,
  retried,
  savedItems,
  settled,
  taken,
  undelayed,
  unsettled,
} from "../src/outbox.ts";

const say = (id: string): Command => ({ type: "say", client_msg_id: id, text: `text of ${id}` });
const box = (...ids: string[]) => ids.reduce<Outbox>((outbox, id) => added(outbox, say(id), 1, 0), []);
const refuse = (outbox: Outbox, id: string, code: ErrorCode, retryAfterMs?: number) =>
  settled(outbox, { id, refusal: { code, message: "no", ...(retryAfterMs && { retry_after_ms: retryAfterMs }) } });
const sentAs = ({ frames }: { frames: Command[] }) => frames.map(({ client_msg_id, after }) => [client_msg_id, after]);
const states = (outbox: Outbox) => outbox.map(({ id, state }) => `${id} ${state}`);

test("each command names the newest earlier one without an outcome", () => {
  const first = taken(box("a", "b"));
  expect(sentAs(first)).toEqual([
    ["a", undefined],
    ["b", "a"],
  ]);
  const { outbox } = settled(first.outbox, { id: "b", seq: 4 });
  expect(sentAs(taken(added(outbox, say("c"), 1, 0)))).toEqual([["c", "a"]]);
});

test("what was sent once is not sent again before the socket is lost", () => {
  const { outbox } = taken(box("a"));
  expect(taken(outbox).frames).toEqual([]);
  expect(sentAs(taken(disconnected(outbox)))).toEqual([["a", undefined]]);
});

test("a command that is refused for now is not overtaken by later ones", () => {
  const { outbox } = taken(box("a", "b"));
  const busy = refuse(outbox, "a", "busy", 500);
  expect(busy.retryInMs).toBe(500);
  const late = refuse(busy.outbox, "b", "out_of_order").outbox;
  expect(taken(added(late, say("c"), 1, 0)).frames).toEqual([]);
  expect(sentAs(taken(undelayed(late)))).toEqual([
    ["a", undefined],
    ["b", "a"],
  ]);
});

test("pauses grow, and are never shorter than the server asks for", () => {
  let outbox = box("a");
  const pauses: (number | undefined)[] = [];
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const refused = refuse(taken(undelayed(outbox)).outbox, "a", "busy", attempt === 0 ? 900 : 0);
    pauses.push(refused.retryInMs);
    outbox = refused.outbox;
  }
  expect(pauses).toEqual([900, 500, 1000, 2000, 4000]);
});

test("a command is given up after a number of refusals, and can be sent again by hand", () => {
  let outbox = box("a");
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    outbox = refuse(taken(undelayed(outbox)).outbox, "a", "busy").outbox;
  }
  expect(states(outbox)).toEqual(["a failed"]);
  expect(outbox.map(canRetry)).toEqual([true]);
  expect(sentAs(taken(retried(outbox, "a", "fresh")))).toEqual([["a", undefined]]);
});

test("waiting for a predecessor uses up no attempts", () => {
  let outbox = taken(box("a", "b")).outbox;
  for (let round = 0; round < MAX_ATTEMPTS - 1; round += 1) {
    outbox = refuse(refuse(outbox, "a", "busy").outbox, "b", "out_of_order").outbox;
    outbox = taken(undelayed(outbox)).outbox;
  }
  expect(states(refuse(outbox, "b", "out_of_order").outbox)).toEqual(["a in_flight", "b delayed"]);
});

test("waiting for a predecessor that has no outcome grows longer and longer, up to a limit", () => {
  let outbox = taken(box("a", "b")).outbox;
  const pauses: number[] = [];
  for (let round = 0; round < 12; round += 1) {
    const refused = refuse(outbox, "b", "out_of_order");
    pauses.push(refused.retryInMs ?? expect.fail());
    outbox = taken(undelayed(refused.outbox)).outbox;
  }
  expect(pauses.slice(0, 4)).toEqual([50, 100, 200, 400]);
  expect(pauses.at(-1)).toBe(15_000);
});

test("what waited for a predecessor goes out as soon as that has an outcome", () => {
  const late = refuse(taken(box("a", "b")).outbox, "b", "out_of_order").outbox;
  expect(sentAs(taken(settled(late, { id: "a", seq: 1 }).outbox))).toEqual([["b", undefined]]);
  expect(sentAs(taken(refuse(late, "a", "bad_request").outbox))).toEqual([["b", undefined]]);
});

test("when a predecessor fails for good, the next one names the one before it, or none", () => {
  const { outbox } = taken(box("a", "b", "c"));
  const failed = refuse(outbox, "b", "bad_request").outbox;
  const late = refuse(failed, "c", "out_of_order").outbox;
  expect(sentAs(taken(undelayed(late)))).toEqual([["c", "a"]]);
});

test("a name that belongs to another command is replaced, other failures keep theirs", () => {
  const outbox = refuse(taken(box("a")).outbox, "a", "id_conflict").outbox;
  expect(sentAs(taken(retried(outbox, "a", "fresh")))).toEqual([["fresh", undefined]]);
  expect(canRetry(refuse(taken(box("a")).outbox, "a", "closed").outbox[0] ?? expect.fail())).toBe(false);
});

test("an unknown code is a failure that is not retried", () => {
  const unheardOf: ErrorCode = JSON.parse('"unheard_of"');
  expect(states(refuse(taken(box("a")).outbox, "a", unheardOf).outbox)).toEqual(["a failed"]);
});

test("a stored command leaves once the log has reached its entry, and is not undone by a late refusal", () => {
  const { outbox } = settled(taken(box("a")).outbox, { id: "a", seq: 7 });
  expect(states(refuse(outbox, "a", "busy").outbox)).toEqual(["a stored"]);
  expect(reached(outbox, 6)).toBe(outbox);
  expect(reached(outbox, 7)).toEqual([]);
});

test("no more commands are under way than the server takes at once", () => {
  const ids = Array.from({ length: MAX_IN_FLIGHT + 3 }, (_, index) => `m${index}`);
  const first = taken(box(...ids));
  expect(first.frames.length).toBe(MAX_IN_FLIGHT);
  const { outbox } = settled(first.outbox, { id: "m0", seq: 1 });
  expect(sentAs(taken(outbox))).toEqual([[`m${MAX_IN_FLIGHT}`, `m${MAX_IN_FLIGHT - 1}`]]);
});

test("messages that a restored log may lack go out first, under their own names", () => {
  const acknowledged = settled(taken(box("b")).outbox, { id: "b", seq: 9 }).outbox;
  const outbox = offeredAgain(added(acknowledged, say("c"), 1, 0), [{ frame: say("a"), at: 1 }]);
  expect(sentAs(taken(outbox))).toEqual([
    ["a", undefined],
    ["b", "a"],
    ["c", "b"],
  ]);
  expect(states(refuse(taken(outbox).outbox, "a", "id_conflict").outbox)).toEqual(["b in_flight", "c in_flight"]);
});

test("what is saved comes back to be sent, in front of what is new, and never twice", () => {
  const saved = JSON.parse(JSON.stringify(unsettled(taken(box("a", "b")).outbox)));
  const outbox = adopted(box("c", "b"), savedItems(saved));
  expect(outbox.map(({ id, state }) => `${id} ${state}`)).toEqual(["a waiting", "c waiting", "b waiting"]);
});

test("whatever stands in the storage, reading it never throws", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(Array.isArray(savedItems(value))).toBe(true);
      expect(savedItems([value])).toEqual([]);
    }),
  );
});

test("a discarded command is gone", () => {
  expect(discarded(box("a"), "a")).toEqual([]);
});
