// What happens to commands and entries as frames arrive, without a socket.

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Command } from "../src/frames.ts";
import type { CustomerFrame, LogEntry, ServerFrame, Synced } from "../src/generated/protocol.ts";
import { canRetry, type OutboxItem } from "../src/outbox.ts";
import { Session } from "../src/session.ts";
import { CUSTOMER, HISTORY_EPOCH, ID } from "./model-server.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const HELLO: ServerFrame = {
  type: "hello",
  version: 1,
  participant: CUSTOMER,
  role: "customer",
  ping_interval_ms: 25_000,
  pong_timeout_ms: 8_000,
  max_message_bytes: 16_384,
};
const say = (id: string): Command => ({ type: "say", client_msg_id: id, text: id });
const said = (seq: number, id: string, author = CUSTOMER): LogEntry => ({
  seq,
  prev: seq - 1,
  at: seq,
  client_msg_id: id,
  kind: "message_said",
  author: { id: author, role: "customer" },
  text: id,
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

function begun({ isVisitor = true, adopt = () => Promise.resolve() } = {}) {
  const sent: CustomerFrame[] = [];
  const ports = {
    transmit: (frame: CustomerFrame) => sent.push(frame) > 0,
    restart: vi.fn(),
    changed: vi.fn(),
    problem: vi.fn(),
    save: vi.fn(),
    adopt,
  };
  const session = new Session(ports, isVisitor);
  session.follow(ID);
  const takeSent = () => sent.splice(0);
  return { session, ports, takeSent };
}

async function online(entries: LogEntry[] = []) {
  const all = begun();
  await connect(all.session, synced(entries));
  return all;
}

async function connect(session: Session, frame: ServerFrame): Promise<void> {
  session.promoted();
  session.receive(HELLO);
  session.receive(frame);
  await vi.advanceTimersByTimeAsync(0);
}

const names = (frames: CustomerFrame[]) =>
  frames.map((frame) => ("client_msg_id" in frame ? `${frame.client_msg_id}<${frame.after ?? ""}` : frame.type));

test("nothing is sent before the server has said where the log stands and other tabs' leavings are known", async () => {
  let adopted: () => void = () => undefined;
  const { session, takeSent } = begun({ adopt: () => new Promise<void>((resolve) => (adopted = resolve)) });
  session.send(say("a"));
  session.promoted();
  session.receive(HELLO);
  session.receive(synced([]));
  await vi.advanceTimersByTimeAsync(0);
  expect(takeSent()).toEqual([]);
  adopted();
  await vi.advanceTimersByTimeAsync(0);
  expect(names(takeSent())).toEqual(["a<"]);
});

test("after a reconnect what has no outcome goes out again, in order, and what the log has does not", async () => {
  const { session, takeSent } = await online();
  for (const id of ["a", "b", "c"]) session.send(say(id));
  expect(names(takeSent())).toEqual(["a<", "b<a", "c<b"]);
  await connect(session, synced([said(1, "a")], { recovered: true }));
  expect(names(takeSent())).toEqual(["b<", "c<b"]);
  expect(session.outbox.map(({ id }) => id)).toEqual(["b", "c"]);
});

test("an adoption that began on an earlier socket sends nothing on the next one too soon", async () => {
  const finish: (() => void)[] = [];
  const { session, takeSent } = begun({ adopt: () => new Promise<void>((resolve) => finish.push(resolve)) });
  session.send(say("a"));
  await connect(session, synced([]));
  session.promoted();
  finish[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(takeSent()).toEqual([]);
});

test("an entry settles a command whose ack was lost, but not one of another participant with the same name", async () => {
  const { session } = await online();
  session.send(say("a"));
  session.receive({ type: "entry", conversation: ID, ...said(1, "a", "somebody else") });
  expect(session.outbox.length).toBe(1);
  session.receive({ type: "entry", conversation: ID, ...said(2, "a") });
  expect(session.outbox.length).toBe(0);
});

test("a command that is refused for now goes out again after the pause", async () => {
  const { session, takeSent } = await online();
  session.send(say("a"));
  takeSent();
  session.receive({ type: "refused", client_msg_id: "a", code: "busy", message: "busy", retry_after_ms: 700 });
  await vi.advanceTimersByTimeAsync(699);
  expect(takeSent()).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(names(takeSent())).toEqual(["a<"]);
});

test("a session that was stopped during such a pause sends the command after the next start", async () => {
  const { session, takeSent } = await online();
  session.send(say("a"));
  session.receive({ type: "refused", client_msg_id: "a", code: "busy", message: "busy", retry_after_ms: 700 });
  session.stop();
  takeSent();
  await connect(session, synced([], { recovered: true }));
  expect(names(takeSent())).toEqual(["a<"]);
});

test("what a tab leaves while this one is online goes out at once", async () => {
  const { session, takeSent } = await online();
  const other = begun().session;
  other.send(say("b"));
  expect(session.adopt({ owner: CUSTOMER, conversation: ID, items: other.unsettled() })).toBe(true);
  expect(names(takeSent())).toEqual(["b<"]);
});

test("a refusal is shown by its message, by its command, or as a problem", async () => {
  const { session, ports } = await online();
  session.send(say("a"));
  session.send({ type: "stop", client_msg_id: "s", turn: 1 });
  session.receive({ type: "refused", client_msg_id: "a", code: "closed", message: "over" });
  session.receive({ type: "refused", client_msg_id: "s", code: "nothing_to_do", message: "too late" });
  session.receive({ type: "refused", code: "internal", message: "a fault" });
  expect(session.outbox).toMatchObject([{ id: "a", state: "failed", refusal: { code: "closed" } }]);
  expect(ports.problem.mock.calls).toEqual([
    ["nothing_to_do", "too late"],
    ["internal", "a fault"],
  ]);
});

test("what cannot be a frame is not sent: it would end the socket", async () => {
  const { session, takeSent } = await online();
  session.send({ type: "say", client_msg_id: "a", text: "x".repeat(70_000) });
  expect(takeSent()).toEqual([]);
  expect(session.outbox).toMatchObject([{ state: "failed", refusal: { code: "too_large" } }]);
});

test.each(["a\0b", "half a pair: \ud83d"])(
  "text that would make a malformed frame is refused here: %j",
  async (text) => {
    const { session, takeSent } = await online();
    session.send({ type: "say", client_msg_id: "a", text });
    session.send(say("b"));
    expect(names(takeSent())).toEqual(["b<"]);
    const [first] = session.outbox;
    expect(first).toMatchObject({ id: "a", state: "failed", refusal: { code: "bad_request" } });
    expect(first && canRetry(first)).toBe(false);
  },
);

test("what is sent before the socket of another conversation is in step waits for it", async () => {
  const { session, takeSent } = await online();
  session.follow("0198c0de-0000-7000-8000-000000000002");
  session.send(say("a"));
  expect(takeSent()).toEqual([]);
});

test("another customer inherits nothing", async () => {
  const { session, ports } = await online([said(1, "x")]);
  session.send(say("a"));
  ports.save.mockClear();
  session.become("somebody else");
  expect(ports.save).not.toHaveBeenCalled();
  expect(session).toMatchObject({ conversation: null, outbox: [], participant: null, owner: "somebody else" });
});

test("a gap asks to resume, once, and a server that does not answer is left", async () => {
  const { session, ports, takeSent } = await online([said(1, "x")]);
  session.receive({ type: "entry", conversation: ID, ...said(3, "z", "o") });
  session.receive({ type: "entry", conversation: ID, ...said(4, "z2", "o") });
  expect(takeSent()).toEqual([{ type: "resume", cursor: { history_epoch: HISTORY_EPOCH, seq: 1 } }]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(ports.restart).toHaveBeenCalledTimes(1);
});

test("a resume that is answered heals the gap", async () => {
  const { session, ports } = await online([said(1, "x")]);
  session.receive({ type: "entry", conversation: ID, ...said(3, "z", "o") });
  session.receive(synced([said(2, "y", "o"), said(3, "z", "o")], { recovered: true }));
  await vi.advanceTimersByTimeAsync(20_000);
  expect(session.conversation).toMatchObject({ cursor: 3, needsResume: false });
  expect(ports.restart).not.toHaveBeenCalled();
});

test("an answer that does not join is not asked for again and again: everything is fetched anew", async () => {
  const { session, ports } = await online([said(1, "x")]);
  session.receive({ type: "entry", conversation: ID, ...said(3, "z", "o") });
  session.receive(synced([said(3, "z", "o")], { recovered: true, position: 3 }));
  expect(ports.restart).toHaveBeenCalledTimes(1);
  expect(session.hello("t")).toEqual({ type: "hello", versions: [1], token: "t" });
});

test("a fresh start that nobody has asked for takes no entries back", async () => {
  const { session } = await online([said(1, "x")]);
  session.receive({ type: "entry", conversation: ID, ...said(2, "y", "o") });
  session.receive(synced([said(1, "x")]));
  expect(session.conversation?.cursor).toBe(2);
});

test.each(["other_epoch", "future"] as const)("after %s what a restored log lacks is offered again", async (reason) => {
  const { session, takeSent } = await online([said(1, "a"), said(2, "b"), said(3, "c", "o"), said(4, "d")]);
  session.send(say("e"));
  session.receive({ type: "ack", conversation: ID, client_msg_id: "e", seq: 5 });
  session.send(say("f"));
  takeSent();
  await connect(session, synced([said(1, "a")], { reason, history_epoch: "another" }));
  expect(names(takeSent())).toEqual(["b<", "d<b", "e<d", "f<e"]);
  expect(session.conversation?.entries.map(({ seq }) => seq)).toEqual([1]);
});

test("after too_old nothing is offered again: the log has it", async () => {
  const { session, takeSent } = await online([said(1, "a"), said(2, "b")]);
  await connect(session, synced([said(80, "x", "o")], { reason: "too_old" }));
  expect(takeSent()).toEqual([]);
});

test("what a tab that is gone has left is taken if it is this customer's, and sent before anything new", async () => {
  const { session, takeSent } = begun();
  session.owner = CUSTOMER;
  const item: OutboxItem = {
    id: "old",
    frame: say("old"),
    at: 1,
    cursor: 0,
    state: "waiting",
    attempts: 0,
    pauses: 0,
    refusal: null,
    seq: null,
    isOfferedAgain: false,
  };
  session.send(say("new"));
  expect(session.adopt({ owner: "somebody else", conversation: ID, items: [item] })).toBe(false);
  expect(session.adopt({ owner: CUSTOMER, conversation: ID, items: [item] })).toBe(true);
  await connect(session, synced([]));
  expect(names(takeSent())).toEqual(["old<", "new<old"]);
  const elsewhere = { ...item, id: "elsewhere", frame: say("elsewhere") };
  const stop = { ...item, id: "stop", frame: { type: "stop", client_msg_id: "stop" } as const };
  expect(session.adopt({ owner: CUSTOMER, conversation: "another", items: [elsewhere, stop] })).toBe(true);
  expect(session.outbox[0]).toMatchObject({ id: "elsewhere", state: "failed" });
  expect(session.outbox.some(({ id }) => id === "stop")).toBe(false);
});

test("what was written before anybody was known is the visitor's, never a customer's who logs in later", () => {
  for (const isVisitor of [true, false]) {
    const { session } = begun({ isVisitor });
    expect(session.adopt({ owner: null, conversation: null, items: [] })).toBe(isVisitor);
  }
});

test("who writes is forgotten after 6 s", async () => {
  const { session } = await online();
  session.receive({ type: "typing", conversation: ID, participant: "a", role: "agent", active: true });
  await vi.advanceTimersByTimeAsync(5_999);
  expect(session.conversation?.typing).not.toBeNull();
  await vi.advanceTimersByTimeAsync(1);
  expect(session.conversation?.typing).toBeNull();
});

test("another conversation begins empty, and messages that were not sent to the last one are kept as failed", async () => {
  const { session } = await online([said(1, "x")]);
  session.send(say("a"));
  session.send({ type: "close", client_msg_id: "c" });
  session.follow("0198c0de-0000-7000-8000-000000000002");
  expect(session.conversation).toMatchObject({ cursor: 0, entries: [] });
  expect(session.outbox).toMatchObject([{ id: "a", state: "failed", refusal: { code: "unknown" } }]);
});

test("a page of older entries that comes after the log was replaced is dropped", async () => {
  const { session } = await online([said(5, "x")]);
  const asked = session.conversation ?? expect.fail();
  await connect(session, synced([said(9, "y")], { reason: "too_old" }));
  session.prependOlder(asked, [said(4, "w")], false);
  expect(session.conversation?.entries.map(({ seq }) => seq)).toEqual([9]);
});
