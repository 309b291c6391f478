// The embedded pages in a real browser on the real server.

import assert from "node:assert/strict";

import { Page } from "./page.mjs";
import { story } from "./story.mjs";
import { until } from "./until.mjs";

// Longer than a story takes to reach its point: it is cut there, so nobody waits for the end.
const ENDLESS = "/mock long 5000";
const SERVER_IS_AWAY = /WebSocket connection to .* failed|ERR_CONNECTION_REFUSED/;

story("on a first visit a reply streams and the browser has nothing to complain of", async ({ visit }) => {
  const customer = await visit("/");
  const streaming = await customer.recordStreaming();
  await customer.say("Where is my order?");
  const reply = await customer.replyEnds();
  const shown = await streaming.read();
  assert.ok(shown.length >= 3, `the text grew at least twice: ${JSON.stringify(shown)}`);
  const texts = [...shown, reply.text];
  for (const [index, text] of texts.slice(1).entries()) assert.ok(text.startsWith(texts[index]), "shown text only grows");
  assert.match(reply.text, /Where is my order\?/);
  const said = (await customer.items()).map(({ kind, state }) => `${kind} ${state}`);
  assert.deepEqual(said, ["message stored", "reply ended"]);
  assert.deepEqual(customer.complaints(), []);
});

story("stopping keeps what was shown and says that it was stopped", async ({ visit }) => {
  const customer = await visit("/");
  await customer.say(ENDLESS);
  const shown = await customer.replyGrows(await customer.replyGrows());
  await customer.press("stop");
  const reply = await customer.replyEnds();
  assert.equal(reply.marker, "Stopped");
  assert.ok(reply.text.startsWith(shown), "what was shown before stays");
  await customer.hides("stop");
  await customer.tab.reload();
  assert.deepEqual(await customer.replyEnds(), reply);
  assert.deepEqual(customer.complaints(), []);
});

story("a reload and a second tab show the reply in progress and go on with it", async ({ visit }) => {
  const first = await visit("/");
  await first.say("Hello");
  await first.replyEnds();
  await first.say(ENDLESS);
  await first.message(ENDLESS);
  const before = await first.replyGrows();

  await first.tab.reload();
  const second = await Page.open(first.tab.context(), first.tab.url());
  const inFirst = await first.replyGrows(before);
  const inSecond = await second.replyGrows(inFirst);
  await first.replyGrows(inSecond);
  await second.press("stop");

  const [one, other] = await Promise.all([first, second].map(async (tab) => ((await tab.replyEnds()), tab.items())));
  assert.deepEqual(one, other);
  assert.deepEqual(one.map(({ kind }) => kind), ["message", "reply", "message", "reply"]);
  assert.ok(one.at(-1).text.startsWith(inSecond), "what was shown before stays");
  assert.deepEqual([...first.complaints(), ...second.complaints()], []);
});

story("a crash of the server costs the customer nothing", async ({ server, visit }) => {
  const customer = await visit("/");
  await customer.say("Hello");
  await customer.replyEnds();
  const token = await customer.token();
  await customer.say("/mock long 400");
  await customer.message("/mock long 400");
  await customer.replyGrows();

  await server.kill();
  await customer.shows("banner", "Reconnecting");
  await customer.say("Are you still there?");
  await customer.message("Are you still there?", "sending");
  await server.start();

  await customer.hides("banner");
  await customer.message("Are you still there?");
  const isOver = (items) => items.length === 6 && items.every(({ state }) => ["stored", "ended"].includes(state));
  const items = await until("three messages with their answers", () => customer.items(), isOver);
  const questions = items.filter(({ kind }) => kind === "message").map(({ text }) => text);
  assert.deepEqual(questions, ["Hello", "/mock long 400", "Are you still there?"]);
  const [, long, last] = items.filter(({ kind }) => kind === "reply");
  assertCountsWithoutGap(long.text, 400);
  assert.match(last.text, /Are you still there\?/);

  assert.equal(await customer.token(), token);
  const stored = (await server.entries(token)).filter(({ kind }) => kind === "message_said").map(({ text }) => text);
  assert.deepEqual(stored, questions);
  assert.deepEqual(customer.complaints(SERVER_IS_AWAY), []);
});

story("staff watch a reply, take over in the middle of it, answer, and hand back", async ({ server, visit }) => {
  const customer = await visit("/");
  await customer.say(ENDLESS);
  const before = await customer.replyGrows();

  const desk = await visit("/desk");
  await desk.tab.locator("#token").fill(server.staffToken("Ana"));
  await desk.tab.getByRole("button", { name: "Open the desk" }).click();
  await desk.tab.locator("#open .watch").click();
  const watched = await desk.replyGrows(await desk.replyGrows(before));
  await customer.replyGrows(watched);
  await desk.press("take");
  await desk.shows("control", "You answer");
  await desk.say("Hello, this is Ana.");

  const answer = await customer.message("Hello, this is Ana.");
  assert.deepEqual([answer.author, answer.role], ["Ana", "agent"]);
  await customer.shows("control", "You are talking to Ana");
  const cut = await customer.replyEnds();
  assert.equal(cut.marker, "Cut short: a person took over");
  assert.ok(cut.text.startsWith(watched), "what was shown before stays");

  await customer.say("Thank you, Ana!");
  await desk.message("Thank you, Ana!");
  await desk.say("You are welcome.");
  await customer.message("You are welcome.");
  const all = await customer.items();
  assert.deepEqual(all.filter(({ role }) => role === "assistant"), [cut]);
  assert.equal(all.findIndex(({ role }) => role === "assistant"), 1);

  await desk.press("to-assistant");
  await customer.shows("control", "You are talking to the assistant");
  await customer.say("And who are you?");
  const isNew = ({ state, text }) => state === "ended" && text !== cut.text;
  assert.match((await customer.reply("the assistant's answer", isNew)).text, /And who are you\?/);
  assert.deepEqual([...customer.complaints(), ...desk.complaints()], []);
});

/** The mock repeats the message, says a few sentences and then counts its tokens up to the last one. */
function assertCountsWithoutGap(text, last) {
  const [, ...numbers] = Array.from(text.matchAll(/\d+/g), ([number]) => Number(number));
  const expected = numbers.map((_, index) => numbers[0] + index);
  assert.deepEqual(numbers, expected);
  assert.equal(numbers.at(-1), last);
}
