import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Connection } from "../connection.js";
import { FakeSocket } from "./fake-socket.js";

/** A connection on fake sockets and a fake clock. */
function connected(t) {
  FakeSocket.all = [];
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  t.after(() => mock.timers.reset());
  const log = { frames: [], statuses: [], ended: null };
  const connection = new Connection(
    {
      url: "ws://here/socket",
      hello: () => ({ type: "hello", token: "secret" }),
      isInStep: (frame) => frame.type === "synced",
      onFrame: (frame) => log.frames.push(frame.type),
      onInStep: () => log.frames.push("(in step)"),
      onStatus: (status) => log.statuses.push(status),
      onEnded: (code) => (log.ended = code),
    },
    { WebSocket: FakeSocket, random: () => 1 },
  );
  connection.open();
  FakeSocket.all[0].opens();
  return { connection, log, first: FakeSocket.all[0], sockets: FakeSocket.all };
}

test("the token goes into the first frame, never into the address", (t) => {
  const { first } = connected(t);
  assert.deepEqual(first.sent, [{ type: "hello", token: "secret" }]);
  assert.equal(first.url.includes("secret"), false);
});

test("a ping is answered", (t) => {
  const { first } = connected(t);
  first.receives({ type: "ping", positions: [] });
  assert.deepEqual(first.sent.at(-1), { type: "pong" });
});

test("a lost socket is replaced, with growing pauses", (t) => {
  const { first, sockets, log } = connected(t);
  first.closes(1006);
  assert.equal(log.statuses.at(-1), "waiting");
  for (const [index, pause] of [250, 500, 1000, 2000].entries()) {
    mock.timers.tick(pause - 1);
    assert.equal(sockets.length, index + 1);
    mock.timers.tick(1);
    assert.equal(sockets.length, index + 2);
    sockets.at(-1).closes(1006);
  }
});

test("after goaway the new socket is in step before the old one is closed", (t) => {
  const { first, sockets, log } = connected(t);
  first.receives({ type: "goaway", retry_after_ms: 400 });
  mock.timers.tick(399);
  assert.equal(sockets.length, 1);
  mock.timers.tick(1);
  assert.equal(sockets.length, 2);
  first.receives({ type: "entry" });
  assert.equal(first.readyState, 1);
  sockets[1].opens();
  assert.equal(first.readyState, 3);
  assert.equal(log.statuses.includes("waiting"), false);
  assert.deepEqual(log.frames, ["hello", "(in step)", "synced", "entry", "hello", "(in step)", "synced"]);
});

test("a server that said when to come back is not asked earlier", (t) => {
  const { first, sockets } = connected(t);
  first.receives({ type: "refused", code: "busy", retry_after_ms: 5_000 });
  first.closes(1006);
  mock.timers.tick(4_999);
  assert.equal(sockets.length, 1);
  mock.timers.tick(1);
  assert.equal(sockets.length, 2);
});

test("silence for longer than a ping and its answer may take is a lost socket", (t) => {
  const { sockets, log } = connected(t);
  mock.timers.tick(33_000);
  assert.equal(log.statuses.includes("waiting"), true);
  mock.timers.tick(250);
  assert.equal(sockets.length, 2);
});

test("a final close code and an expired token end the connection", (t) => {
  for (const code of [3500, 3503, 3002]) {
    mock.timers.reset();
    const { first, sockets, log } = connected(t);
    first.closes(code);
    mock.timers.tick(60_000);
    assert.deepEqual([log.ended, log.statuses.at(-1), sockets.length], [code, "ended", 1]);
  }
});
