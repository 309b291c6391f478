// For who uses a screen reader, the keyboard alone, a dark room, another direction of writing, or wants nothing to move.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { story } from "./story.mjs";

const AXE = readFileSync(createRequire(process.env.TEST_PLAYWRIGHT).resolve("axe-core/axe.min.js"), "utf8");
const LOOKS = [
  { name: "light", options: { colorScheme: "light" }, path: "/" },
  { name: "dark, on a phone", options: { colorScheme: "dark", viewport: { width: 390, height: 760 } }, path: "/" },
  { name: "from right to left", options: { colorScheme: "light" }, path: "/?lang=ar" },
];
const MARKDOWN = [
  "## Your order\n\nIt is **on its way**, see [the carrier](https://carrier.example/1042):\n\n",
  "| Day | Place |\n|---|---|\n| Monday | Lyon |\n\n1. first\n2. second\n\n> quoted\n\n```js\nconst answer = 42;\n```\n",
].join("");

for (const { name, options, path } of LOOKS) {
  story(
    `axe finds nothing serious in any state: ${name}`,
    async (stage) => {
      const customer = await stage.visit(path, { reducedMotion: "reduce", ...options });
      const { chat } = customer;
      const supervisor = stage.server.api(stage.server.staffToken("Ana", "supervisor"));
      await chat.isWith("assistant");
      await looksGood(customer, "empty");

      await chat.say("Where is it?");
      const reply = await stage.model.asked();
      await chat.locator(".thinking").waitFor();
      await looksGood(customer, "thinking");
      reply.say(MARKDOWN);
      await chat.locator("#timeline table").waitFor();
      await looksGood(customer, "streaming");
      reply.end();
      await chat.replyEnds();
      await chat.locator('[data-action="rate-down"]').click();
      await looksGood(customer, "rating");
      await chat.press("menu");
      await looksGood(customer, "menu");
      await chat.press("end");
      await looksGood(customer, "question");
      await chat.press("confirm-keep");

      await chat.say("And now?");
      (await stage.model.asked()).fail();
      assert.equal((await chat.replyEnds(2)).outcome, "failed");
      await chat.isWith("queue");
      await chat.locator("#queue").waitFor();
      await looksGood(customer, "failed and queued");
      const [conversation] = await supervisor.open();
      await supervisor.takeOver(conversation);
      await supervisor.command(conversation.id, "messages", { text: "I **look** at it." });
      await chat.isWith("agent");
      await chat.message("I look at it.");
      await looksGood(customer, "agent");

      customer.expects(/ERR_INTERNET_DISCONNECTED|WebSocket connection to .* failed/);
      await customer.page.context().setOffline(true);
      await chat.locator("#banner").waitFor();
      await chat.say("Too late");
      await chat.message("Too late", "sending");
      await looksGood(customer, "offline, sending");
      const { control_version } = await supervisor.get(`/v1/conversations/${conversation.id}`);
      await supervisor.command(conversation.id, "close", { control_version });
      await customer.page.context().setOffline(false);
      await chat.message("Too late", "failed");
      await chat.locator("#closed").waitFor();
      await looksGood(customer, "not sent, closed");
    },
    { hasModel: true },
  );
}

story(
  "a whole visit needs no mouse, and the focus is never lost",
  async (stage) => {
    const customer = await stage.visit();
    const { chat, page } = { chat: customer.chat, page: customer.page };
    const { keyboard } = page;
    const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.className || "");
    const tabTo = async (selector) => {
      for (let presses = 0; presses < 30; presses += 1) {
        if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
        await keyboard.press("Tab");
      }
      assert.fail(`Tab does not reach ${selector}; it stands on ${await focused()}`);
    };
    await chat.isWith("assistant");
    await keyboard.press("Tab");
    assert.equal(await focused(), "skip");
    await keyboard.press("Enter");
    assert.equal(await focused(), "text");
    await keyboard.type("Two lines");
    await keyboard.press("Shift+Enter");
    await keyboard.type("of text");
    await keyboard.press("Enter");
    await chat.message("Two lines\nof text");
    (await stage.model.asked()).say("Half a sentence ");
    await chat.replyGrows();
    assert.equal(await focused(), "text", "the focus stays where one writes");
    await keyboard.press("Escape");
    assert.equal((await chat.replyEnds()).outcome, "stopped");

    await tabTo('[data-action="regenerate"]');
    await keyboard.press("Enter");
    (await stage.model.asked()).sayAll("A whole one.");
    await chat.replyEnds(2);
    await tabTo('[data-action="rate-up"]');
    await keyboard.press("Space");
    await tabTo(".comment textarea");
    await keyboard.type("Good.");
    await tabTo(".comment button[type=submit]");
    await keyboard.press("Enter");
    await chat.locator(".thanks").waitFor();

    await tabTo("#menu");
    await keyboard.press("Enter");
    await tabTo("#end");
    await keyboard.press("Enter");
    await chat.locator("#confirm-keep").waitFor();
    await tabTo("#confirm-end");
    await keyboard.press("Escape");
    await chat.locator("#confirm").waitFor({ state: "hidden" });
    await tabTo("#menu");
    await keyboard.press("Enter");
    await tabTo("#end");
    await keyboard.press("Enter");
    await tabTo("#confirm-end");
    await keyboard.press("Enter");
    await chat.isWith("closed");
    await tabTo('#csat [data-score="up"]');
    await keyboard.press("Enter");
    await tabTo("#again");
    customer.expects(/^gone: /);
    await keyboard.press("Enter");
    await chat.isWith("assistant");
    await tabTo("#text");
  },
  { hasModel: true },
);

story(
  "a finished reply is read out once and whole, and never piece by piece",
  async (stage) => {
    const { chat } = await stage.visit();
    await chat.say("Tell me.");
    const reply = await stage.model.asked();
    let text = "";
    for (const word of ["One ", "two ", "three ", "four."]) {
      reply.say(word);
      text += word;
      await chat.reply("the next word", (shown) => shown.text === text.trim());
    }
    reply.end();
    await chat.replyEnds();
    await chat.locator("#announcer > p").filter({ hasText: "four." }).waitFor();
    assert.equal(await chat.locator("#announcer").getAttribute("aria-live"), "polite");
    const { spoken } = await chat.witness();
    assert.deepEqual(spoken, ["Thinking…", "Assistant: One two three four."]);
    assert.equal(await chat.locator('[aria-live]:not([aria-live="off"]) #timeline').count(), 0);
  },
  { hasModel: true },
);

story(
  "nothing moves for who does not want it",
  async (stage) => {
    const moving = ({ page }) => page.evaluate(() => document.getAnimations().map(({ animationName }) => animationName));
    const [calm, usual] = [await stage.visit("/", { reducedMotion: "reduce" }), await stage.visit()];
    for (const { chat } of [calm, usual]) {
      await chat.say("Hello");
      await chat.locator(".thinking").waitFor();
    }
    assert.deepEqual(await moving(calm), []);
    assert.notDeepEqual(await moving(usual), [], "others see that something is going on");
  },
  { hasModel: true },
);

/** No violation of a rule that axe calls serious or critical. */
async function looksGood({ page }, state) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => (await globalThis.axe.run()).violations);
  const grave = found.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const told = grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ""}`).join("\n")}`);
  assert.deepEqual(told, [], state);
}
