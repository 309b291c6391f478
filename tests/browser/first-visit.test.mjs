// The first visit: a question, an answer that is written before one's eyes, and the same again after a reload.

import assert from "node:assert/strict";

import { story } from "./story.mjs";

story("on a first visit a message and its reply become durable without anything being drawn anew", async (stage) => {
  const customer = await stage.visit();
  const { chat } = customer;
  await chat.isWith("assistant");
  await chat.say("Where is my order?");
  const reply = await chat.replyEnds();
  assert.match(reply.text, /Where is my order\?/);
  assert.deepEqual(
    (await chat.items()).map(({ kind, state }) => `${kind} ${state}`),
    ["message durable", "reply ended"],
  );

  const { states, replies, faults } = await chat.witness();
  assert.deepEqual(faults, []);
  const [ofMessage, ofReply] = Object.values(states);
  assert.deepEqual(ofMessage, ["sending", "durable"]);
  assert.deepEqual(ofReply.slice(-2), ["streaming", "ended"]);
  const pieces = new Set(replies.map(({ text }) => text));
  assert.ok(pieces.size >= 4, `it was written before one's eyes: ${JSON.stringify([...pieces])}`);

  const shown = await chat.items();
  await customer.reload();
  assert.deepEqual(await chat.shows("the same after a reload", (items) => items.length === 2), shown);
});
