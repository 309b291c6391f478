// What a customer can do with a reply, with a message that failed, and with the conversation.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { story } from "./story.mjs";
import { until } from "./until.mjs";

const ENDLESS = "/mock long 5000";
const MANY_BYTES = "é".repeat(9_000);

story("a stopped reply keeps what was shown, and says that it was stopped", async (stage) => {
  const customer = await stage.visit();
  const { chat } = customer;
  await chat.say(ENDLESS);
  const shown = await chat.replyGrows(await chat.replyGrows());
  await chat.press("stop");
  const reply = await chat.replyEnds();
  assert.equal(reply.outcome, "stopped");
  assert.match(reply.marker, /stopped/);
  assert.ok(reply.text.startsWith(shown), "what was shown before stays");
  await chat.locator("#stop").waitFor({ state: "hidden" });
  await customer.reload();
  assert.deepEqual(await chat.replyEnds(), reply);
});

story(
  "another answer replaces the one before, which is folded away and marked",
  async (stage) => {
    const { chat } = await stage.visit();
    await chat.say("What is the way?");
    (await stage.model.asked()).sayAll("Turn left.");
    await chat.replyEnds();
    await chat.locator('[data-action="regenerate"]').click();
    const second = await stage.model.asked();
    second.say("No, turn ");
    await chat.reply("the newer answer in progress", ({ text }) => text === "No, turn");
    second.say("right.");
    second.end();
    await chat.replyEnds(2);
    const replies = (await chat.items()).filter(({ kind }) => kind === "reply");
    assert.deepEqual(
      replies.map(({ text, replaced }) => ({ text, replaced })),
      [
        { text: "Turn left.", replaced: true },
        { text: "No, turn right.", replaced: false },
      ],
    );
    const [older] = await chat.locator(".reply details").all();
    assert.equal(await older.getAttribute("open"), null);
    assert.match(await older.locator("summary").textContent(), /replaced/);
    assert.equal(await older.locator(".text").isVisible(), false);
  },
  { hasModel: true },
);

story("a judgement and its reason are stored, and shown again after a reload", async (stage) => {
  const customer = await stage.visit();
  const { chat } = customer;
  await chat.say("Hello");
  await chat.replyEnds();
  const up = chat.locator('[data-action="rate-up"]');
  const down = chat.locator('[data-action="rate-down"]');
  await up.click();
  await chat.locator(".comment button[type=button]").click();
  await down.click();
  await chat.locator(".comment textarea").fill("It <b>said</b> nothing.");
  await chat.locator(".comment button[type=submit]").click();
  await chat.locator(".thanks").waitFor();

  const staff = stage.staff("Ana");
  const [{ id }] = await staff.open();
  const rated = async () => (await staff.entries(id)).filter(({ kind }) => kind === "rated");
  const stored = await until("three judgements", rated, ({ length }) => length === 3);
  assert.deepEqual(stored.map(({ score }) => score), ["up", "down", "down"]);
  assert.equal(stored[2].comment, "It <b>said</b> nothing.");

  await customer.reload();
  await chat.locator('[data-action="rate-down"][aria-pressed="true"]').waitFor();
  await chat.locator('[data-action="rate-up"][aria-pressed="false"]').waitFor();
});

story("what the server refuses is shown as not sent, and may be tried again or discarded", async (stage) => {
  const customer = await stage.visit();
  const { chat } = customer;
  await chat.isWith("assistant");

  await chat.locator("#text").fill(MANY_BYTES);
  await chat.locator("#hint.over").waitFor();
  assert.equal(await chat.locator("#send").isDisabled(), true, "what is too long for the server is not sent at all");

  await chat.say("/mock fail");
  const failed = await chat.replyEnds();
  assert.equal(failed.outcome, "failed");
  assert.match(failed.marker, /could not be finished/);
  await chat.isWith("queue");

  // Somebody else closes the conversation while this customer cannot know it.
  customer.expects(/ERR_INTERNET_DISCONNECTED|WebSocket connection to .* failed/);
  customer.expects(/^gone: “Too late”/);
  const staff = stage.staff("Ana");
  await customer.page.context().setOffline(true);
  await chat.banner("You are offline");
  await chat.say("Too late");
  await chat.message("Too late", "sending");
  const [{ id, control_version }] = await staff.open();
  const supervisor = stage.server.api(stage.server.staffToken("Eve", "supervisor"));
  await supervisor.command(id, "close", { control_version });
  await customer.page.context().setOffline(false);
  await chat.message("Too late", "failed");
  await chat.isWith("closed");
  await chat.locator('[data-action="discard"]').click();
  await chat.shows("the conversation without it", (items) => items.every(({ text }) => text !== "Too late"));
  assert.deepEqual(await staff.said(id), ["/mock fail"]);
});

story("a conversation is closed, judged, and followed by a new one", async (stage) => {
  const customer = await stage.visit();
  const { chat } = customer;
  await chat.say("First things first.");
  await chat.replyEnds();
  await chat.choose("end");
  await chat.press("confirm-end");
  await chat.isWith("closed");
  await chat.locator("#text").waitFor({ state: "detached" });
  await chat.locator('#csat [data-score="up"]').click();
  await chat.locator('#csat [data-score="up"][aria-pressed="true"]').waitFor();

  customer.expects(/^gone: /);
  await chat.press("again");
  await chat.isWith("assistant");
  assert.deepEqual(await chat.items(), []);
  await chat.say("Second.");
  assert.match((await chat.replyEnds()).text, /Second\./);
  await customer.reload();
  const items = await chat.shows("the new conversation", ({ length }) => length === 2);
  assert.equal(items[0].text, "Second.");
});

story("a transcript holds everything that was said, as text only", async (stage) => {
  const customer = await stage.visit();
  const { chat } = customer;
  const hostile = `<img src=x onerror=alert(1)> & "quotes"`;
  await chat.say(hostile);
  await chat.replyEnds();

  const saved = async (button) => {
    const [download] = await Promise.all([customer.page.waitForEvent("download"), chat.choose(button)]);
    return [download.suggestedFilename(), readFileSync(await download.path(), "utf8")];
  };
  const [textName, text] = await saved("save-text");
  assert.match(textName, /\.txt$/);
  assert.ok(text.includes(hostile), text);
  assert.match(text, /mock model/);

  const [pageName, html] = await saved("save-page");
  assert.match(pageName, /\.html$/);
  assert.doesNotMatch(html, /<img|<script|onerror=alert\(1\)>/);
  const reader = await stage.person();
  const page = await reader.newPage();
  await page.setContent(html);
  assert.ok((await page.locator("body").innerText()).includes(hostile), "it reads as it was written");
  assert.equal(await page.locator("img, script, a, iframe").count(), 0);
});
