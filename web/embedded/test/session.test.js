import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { DeskSession } from "../session.js";
import { HISTORY_EPOCH, ID } from "./fake-server.js";
import { FakeSocket } from "./fake-socket.js";

/** An agent's session that watches one conversation, on a fake socket and a fake clock. */
function watching(t) {
  FakeSocket.all = [];
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const WebSocket = globalThis.WebSocket;
  globalThis.WebSocket = FakeSocket;
  t.after(() => {
    mock.timers.reset();
    globalThis.WebSocket = WebSocket;
  });
  const refusals = [];
  const session = new DeskSession({
    url: "ws://here/socket",
    token: "secret",
    onChange: () => {},
    onRefused: ({ code }) => refusals.push(code),
    onEnded: () => {},
  });
  session.open();
  const [socket] = FakeSocket.all;
  socket.opens();
  session.watch(ID);
  const watches = () => socket.sent.filter(({ type }) => type === "watch");
  return { session, socket, watches, refusals };
}

const refused = (code, more) => ({ type: "refused", conversation: ID, code, message: code, ...more });
const synced = {
  type: "synced",
  conversation: ID,
  history_epoch: HISTORY_EPOCH,
  position: 1,
  recovered: false,
  entries: [{ seq: 1, prev: 0, at: 1, kind: "opened", language: "en" }],
  has_older: false,
  control: { state: "agent", id: "a" },
  control_version: 1,
};

test("a conversation that cannot be shown just now is asked for again, and what was written meanwhile goes out then", (t) => {
  const { session, socket, watches, refusals } = watching(t);
  socket.receives(refused("busy", { retry_after_ms: 700 }));
  session.say(ID, "hello");
  mock.timers.tick(699);
  assert.equal(watches().length, 1);
  mock.timers.tick(1);
  assert.equal(watches().length, 2);
  socket.receives(synced);
  assert.deepEqual(socket.sent.filter(({ type }) => type === "say").map(({ text }) => text), ["hello"]);
  assert.deepEqual(refusals, ["busy"]);
});

test("one that may not be shown, or is not looked at any more, is not", (t) => {
  const { session, socket, watches } = watching(t);
  socket.receives(refused("forbidden"));
  mock.timers.tick(60_000);
  assert.equal(watches().length, 1);
  socket.receives(refused("busy"));
  session.unwatch(ID);
  mock.timers.tick(60_000);
  assert.equal(watches().length, 1);
});
