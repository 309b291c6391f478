import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../session.js";

const say = (id) => ({ type: "say", client_msg_id: id, text: `text of ${id}` });
const sent = (frames) => frames.map(({ client_msg_id: id, after }) => [id, after]);
const ack = (id, seq) => ({ type: "ack", client_msg_id: id, seq });
const refused = (id, code, more) => ({ type: "refused", client_msg_id: id, code, message: code, ...more });

function outboxWith(...ids) {
  const outbox = new Outbox();
  for (const id of ids) outbox.add(say(id), 0);
  return outbox;
}

test("each command names the newest earlier one without an outcome", () => {
  const outbox = outboxWith("a", "b");
  assert.deepEqual(sent(outbox.take()), [["a", undefined], ["b", "a"]]);
  assert.deepEqual(outbox.take(), []);
  outbox.settle(ack("a", 1));
  outbox.settle(ack("b", 2));
  outbox.add(say("c"), 0);
  assert.deepEqual(sent(outbox.take()), [["c", undefined]]);
});

test("after a disconnect everything without an outcome goes out again, in order and by the same names", () => {
  const outbox = outboxWith("a", "b", "c");
  outbox.take();
  outbox.settle(ack("a", 1));
  outbox.disconnected();
  assert.deepEqual(sent(outbox.take()), [["b", undefined], ["c", "b"]]);
});

test("a command that fails for good is no predecessor any more", () => {
  const outbox = outboxWith("a", "b");
  outbox.take();
  outbox.settle(refused("a", "too_large"));
  assert.equal(outbox.settle(refused("b", "out_of_order")).retryInMs > 0, true);
  assert.deepEqual(sent(outbox.take()), [["b", undefined]]);
  assert.deepEqual(outbox.items.map(({ state }) => state), ["failed", "inFlight"]);
});

test("a command refused for now is sent again after the given time, and nothing overtakes it", () => {
  const outbox = outboxWith("a");
  outbox.take();
  assert.equal(outbox.settle(refused("a", "busy", { retry_after_ms: 700 })).retryInMs, 700);
  outbox.add(say("b"), 0);
  assert.equal(outbox.blocked, true);
  assert.deepEqual(sent(outbox.take()), [["a", undefined], ["b", "a"]]);
});

test("retries end", () => {
  const outbox = outboxWith("a");
  for (let attempt = 0; attempt < 8; attempt += 1) {
    outbox.take();
    outbox.settle(refused("a", "busy"));
  }
  assert.equal(outbox.items[0].state, "failed");
});

test("a late refusal does not undo what is stored", () => {
  const outbox = outboxWith("a");
  outbox.take();
  outbox.settle(ack("a", 4));
  outbox.settle(refused("a", "busy"));
  assert.equal(outbox.items[0].state, "stored");
});

test("a stored command is shown until the log has reached it", () => {
  const outbox = outboxWith("a");
  outbox.take();
  outbox.settle(ack("a", 4));
  outbox.reached(3);
  assert.equal(outbox.items.length, 1);
  outbox.reached(4);
  assert.equal(outbox.items.length, 0);
});

test("the entry of a command is an outcome too", () => {
  const outbox = outboxWith("a");
  outbox.take();
  outbox.settle({ type: "entry", client_msg_id: "a", seq: 1 });
  assert.equal(outbox.items[0].state, "stored");
});

test("a failed command is retried by its own name, unless that belongs to another", () => {
  const outbox = outboxWith("a", "b");
  outbox.take();
  outbox.settle(refused("a", "full"));
  outbox.settle(refused("b", "id_conflict"));
  outbox.retry("a", "fresh1");
  outbox.retry("b", "fresh2");
  assert.deepEqual(sent(outbox.take()), [["a", undefined], ["fresh2", "a"]]);
});

test("a predecessor is named only where the frame has a place for it", () => {
  const outbox = new Outbox();
  outbox.add({ type: "claim", client_msg_id: "a" }, 0);
  outbox.add(say("b"), 0);
  outbox.add({ type: "close", client_msg_id: "c" }, 0);
  assert.deepEqual(sent(outbox.take()), [["a", undefined], ["b", "a"], ["c", undefined]]);
});
