// People: asked for, waited for, taking over in the middle of a sentence, and handing back.

import assert from "node:assert/strict";

import { story } from "./story.mjs";
import { until } from "./until.mjs";

story(
  "after a person took over in the middle of a sentence, not a character of the assistant is shown",
  async (stage) => {
    const customer = await stage.visit();
    const { chat } = customer;
    await chat.say("Tell me everything.");
    const reply = await stage.model.asked();
    let count = 0;
    const talking = setInterval(() => reply.isCalledOff || reply.say(`${++count} `), 5);
    try {
      const before = await chat.replyGrows(await chat.replyGrows());

      const desk = await stage.desk("Ana");
      await desk.follow("open");
      await desk.shows("assistant", before);
      await desk.press("take");
      await desk.control("You answer");
      await until("the reply to be called off", () => reply.isCalledOff, Boolean);
      await desk.say("Hello, this is Ana.");

      const answer = await chat.message("Hello, this is Ana.");
      assert.deepEqual([answer.author, answer.role], ["\u2068Ana\u2069", "agent"]);
      await chat.isWith("agent", /Ana/);
      const cut = await chat.replyEnds();
      assert.equal(cut.outcome, "taken_over");
      assert.match(cut.marker, /took over/);
      assert.ok(cut.text.startsWith(before), "what was shown before stays");
      const { replies } = await chat.witness();
      const joined = replies.findIndex(({ control }) => control === "agent");
      assert.deepEqual([...new Set(replies.slice(joined).map(({ text }) => text))], [cut.text]);

      await chat.say("Thank you, Ana!");
      await desk.shows("customer", "Thank you, Ana!");
      await desk.press("to-assistant");
      await chat.isWith("assistant");
      (await stage.model.asked()).sayAll("Here I am again.");
      assert.equal((await chat.replyEnds(2)).text, "Here I am again.");
      const shown = (await chat.items()).filter(({ kind }) => kind !== "notice").map(({ text }) => text);
      const whole = ["Tell me everything.", cut.text, "Hello, this is Ana.", "Thank you, Ana!", "Here I am again."];
      assert.deepEqual(shown, whole);
    } finally {
      clearInterval(talking);
    }
  },
  { hasModel: true },
);

story("who asks for a person sees the place in the queue move, and the person arrive", async (stage) => {
  const [first, second] = [await stage.visit(), await stage.visit()];
  first.expects(/^gone: “”$/);
  await first.chat.say("/mock human");
  await first.chat.isWith("queue", /Number 1/);
  assert.deepEqual(kinds(await first.chat.items()), ["message", "notice"], "no reply without a word stays");
  await second.chat.press("human");
  await second.chat.locator('#queue[data-position="2"]').waitFor();

  const desk = await stage.desk("Ana");
  await desk.page.locator("#queue .claim").first().click();
  await first.chat.isWith("agent", /Ana/);
  await first.chat.locator("#queue").waitFor({ state: "detached" });
  await second.chat.locator('#queue[data-position="1"]').waitFor();
  await desk.say("How can I help?");
  await first.chat.message("How can I help?");

  await second.chat.press("assistant");
  await second.chat.isWith("assistant");
  await second.chat.say("Never mind.");
  assert.match((await second.chat.replyEnds()).text, /Never mind\./);
});

story("staff watch a reply as it is written, answer, hand back, and close", async (stage) => {
  const customer = await stage.visit();
  const { chat } = customer;
  await chat.say("/mock long 5000");
  const before = await chat.replyGrows();
  const desk = await stage.desk("Ana");
  await desk.follow("open");
  const watched = await desk.shows("assistant", before);
  await chat.replyGrows(watched);
  await desk.press("take");
  await desk.control("You answer");
  await desk.page.locator("#text").pressSequentially("I am");
  await chat.locator("#typing").filter({ hasText: "Ana" }).waitFor();
  await desk.say("I am here.");
  await chat.message("I am here.");
  await chat.locator("#typing").waitFor({ state: "detached" });
  await desk.press("close");
  await chat.isWith("closed");
  await chat.locator("#closed").waitFor();
});

function kinds(items) {
  return items.map(({ kind }) => kind);
}
