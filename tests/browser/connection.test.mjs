// The line between customer and server: lost, shared by two tabs, begun anew, and a server that dies.

import assert from "node:assert/strict";

import { story } from "./story.mjs";
import { until } from "./until.mjs";

// Longer than a story takes to reach its point: it is cut there, so nobody waits for the end.
const ENDLESS = "/mock long 5000";
const NO_NETWORK = /ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|WebSocket connection to .* failed/;
// A second attempt of the model begins from the first word, and what the first one had shown goes.
const WRITTEN_AGAIN = /^shrunk: /;

story("what is written offline is sent once, when the network is back", async (stage) => {
  const customer = await stage.visit();
  const { chat } = customer;
  customer.expects(NO_NETWORK);
  await chat.say("Hello");
  await chat.replyEnds();

  await customer.page.context().setOffline(true);
  await chat.banner("You are offline");
  await chat.say("Are you there?");
  await chat.say("I am in a tunnel.");
  await chat.message("I am in a tunnel.", "sending");
  const staff = stage.staff("Ana");
  const [{ id }] = await staff.open();
  assert.deepEqual(await staff.said(id), ["Hello"], "nothing got through");

  await customer.page.context().setOffline(false);
  await chat.banner("Connected again");
  await chat.message("I am in a tunnel.");
  await chat.replyEnds(3);
  assert.deepEqual(await staff.said(id), ["Hello", "Are you there?", "I am in a tunnel."]);
  assert.deepEqual(messages(await chat.items()), ["Hello", "Are you there?", "I am in a tunnel."]);
  await chat.locator("#banner").waitFor({ state: "hidden" });
});

story("two tabs show the same, and each acts for both", async (stage) => {
  const first = await stage.visit();
  await first.chat.say("Hello");
  await first.chat.replyEnds();
  const second = await stage.tabOf(first.page.context(), first.page.url());
  await second.chat.replyEnds();

  await second.chat.say(ENDLESS);
  await first.chat.message(ENDLESS);
  const inFirst = await first.chat.replyGrows();
  const inSecond = await second.chat.replyGrows(inFirst);
  await first.chat.replyGrows(inSecond);
  await first.chat.press("stop");

  const [one, other] = await Promise.all(
    [first, second].map(async ({ chat }) => ((await chat.replyEnds(2)), settled(await chat.items()))),
  );
  assert.deepEqual(one, other);
  assert.equal(one.at(-1).outcome, "stopped");
  assert.ok(one.at(-1).text.startsWith(inSecond), "what was shown before stays");
  assert.equal((await stage.staff("Ana").open()).length, 1, "it is one conversation");
});

story("a reload in the middle of a sentence shows it from its beginning and goes on", async (stage) => {
  const customer = await stage.visit();
  const { chat } = customer;
  await chat.say(ENDLESS);
  const before = await chat.replyGrows(await chat.replyGrows());
  await customer.reload();
  const after = await chat.replyGrows(before);
  const first = (await chat.witness()).replies.find(({ text }) => text !== "");
  assert.ok(first.text.startsWith(before), "the first thing shown holds all that was shown before");
  await chat.replyGrows(after);
  await chat.reply("a reply that counts", ({ text }) => /\d \d+$/.test(text));
  await chat.press("stop");
  const reply = await chat.replyEnds();
  assertCounts(reply.text);
});

story("a server that is killed in the middle of a sentence costs the customer nothing", async (stage) => {
  const customer = await stage.visit();
  const { chat } = customer;
  customer.expects(NO_NETWORK);
  customer.expects(WRITTEN_AGAIN);
  await chat.say("Hello");
  await chat.replyEnds();
  await chat.say("/mock long 150");
  await chat.message("/mock long 150");
  await chat.replyGrows();

  await stage.server.kill();
  await chat.banner("Connection lost");
  await chat.say("Are you still there?");
  await chat.message("Are you still there?", "sending");
  await stage.server.start();

  await chat.banner("Connected again");
  await chat.message("Are you still there?");
  await chat.replyEnds(3);
  const items = await chat.items();
  assert.deepEqual(messages(items), ["Hello", "/mock long 150", "Are you still there?"]);
  const [, long, last] = items.filter(({ kind }) => kind === "reply");
  assert.equal(assertCounts(long.text), 150);
  assert.match(last.text, /Are you still there\?/);

  const staff = stage.staff("Ana");
  const [{ id }, ...others] = await until("the conversation", () => staff.open(), (open) => open.length > 0);
  assert.deepEqual(others, [], "it is the same conversation");
  assert.deepEqual(await staff.said(id), messages(items));
});

function messages(items) {
  return items.filter(({ kind }) => kind === "message").map(({ text }) => text);
}

/** A stop that is being sent is shown only where it was asked for. */
function settled(items) {
  return items.filter(({ kind }) => kind !== "command");
}

/** The mock says a few sentences and then counts its tokens: none is missing, none is doubled. The last of them. */
function assertCounts(text) {
  const [, ...numbers] = Array.from(text.matchAll(/\d+/g), ([number]) => Number(number));
  assert.ok(numbers.length > 0, text);
  assert.deepEqual(numbers, numbers.map((_, index) => numbers[0] + index));
  return numbers.at(-1);
}
