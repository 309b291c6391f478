// Hostile texts by customer, model and agent in a real browser: once under the server's policy, where a violation would
// be a complaint, and once without any policy, where whatever is a script would run.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { story } from "./story.mjs";
import { until } from "./until.mjs";

const { texts: CORPUS } = JSON.parse(
  readFileSync(new URL("../../web/customer/test/xss.json", import.meta.url), "utf8"),
);
// The server takes no text with NUL, and a field of a page hands over other line ends.
const TEXTS = CORPUS.filter((text) => !text.includes("\0"));
// A customer's text is not parsed, so that several make one message.
const OF_CUSTOMER = [];
for (let from = 0; from < TEXTS.length; from += 10) OF_CUSTOMER.push(TEXTS.slice(from, from + 10).join("\n"));
const SMALL = { viewport: { width: 480, height: 360 } };

story(
  "hostile texts of customer, model and agent stay texts",
  async (stage) => {
    const guarded = await stage.visit("/", SMALL);
    await guarded.chat.isWith("assistant");
    const unguarded = await stage.visit("/", {
      ...SMALL,
      storageState: await guarded.page.context().storageState(),
      bypassCSP: true,
    });
    await unguarded.chat.isWith("assistant");
    // While it is written, half a link is its source; whole, it is the link.
    for (const tab of [guarded, unguarded]) tab.expects(/^shrunk: /);
    const staff = stage.staff("<img src=x onerror=alert(1)>");
    await guarded.chat.press("human");
    await guarded.chat.isWith("queue");
    const [conversation] = await staff.open();
    await staff.takeOver(conversation);
    await guarded.chat.isWith("agent", /<img src=x/);

    for (const text of TEXTS) await staff.command(conversation.id, "messages", { text });
    for (const text of OF_CUSTOMER) await guarded.chat.say(text);
    await bothShow([guarded, unguarded], "message", TEXTS.length + OF_CUSTOMER.length);

    stage.model.answersAll((question) => TEXTS[Number(question)] ?? "Yes?");
    const { control_version } = await staff.get(`/v1/conversations/${conversation.id}`);
    await staff.command(conversation.id, "hand-back", { control_version });
    await bothShow([guarded, unguarded], "reply", 1);
    for (const index of TEXTS.keys()) {
      await guarded.chat.say(String(index));
      // One reply answers all that waits: the next question has to wait for this answer.
      await bothShow([guarded], "reply", index + 2);
    }
    await bothShow([guarded, unguarded], "reply", TEXTS.length + 1);

    for (const tab of [guarded, unguarded]) {
      const shown = await tab.page.evaluate(readMessages);
      assert.equal(shown.counts.agent, TEXTS.length);
      assert.equal(shown.counts.assistant, TEXTS.length + 1);
      assert.equal(shown.counts.customer, OF_CUSTOMER.length + TEXTS.length);
      assert.deepEqual(shown.strange, []);
      assert.ok(shown.links > 30, `${shown.links} links were looked at`);
      assert.equal(new URL(tab.page.url()).origin, stage.server.url);
      assert.equal(await tab.page.locator("#text").count(), 1);
    }
  },
  { hasModel: true },
);

/** Waits until so many items of a kind are shown and over. */
async function bothShow(tabs, kind, count) {
  const over = kind === "reply" ? "ended" : "durable";
  for (const { page } of tabs) {
    const shown = () => page.locator(`#timeline > .${kind}[data-state="${over}"]`).count();
    await until(`${count} times ${kind}`, shown, (seen) => seen >= count);
  }
}

/** Runs in the page: what in the messages is not on the list of what a message may become. */
function readMessages() {
  const allowed = {
    a: ["href", "target", "rel"],
    button: ["type", "aria-label", "title"],
    div: ["tabindex"],
    h2: ["data-depth"],
    ol: ["start"],
    path: ["d"],
    span: ["role"],
    svg: ["viewBox", "aria-hidden", "focusable"],
    td: ["data-align"],
    th: ["data-align"],
  };
  const plain = "bdi blockquote br code del em hr li p pre strong table tbody thead tr ul";
  for (const name of plain.split(" ")) allowed[name] = [];
  const strange = [];
  let links = 0;
  for (const node of document.querySelectorAll("#timeline .text *")) {
    const name = node.localName;
    const attributes = [...node.attributes].map((attribute) => attribute.name);
    if (allowed[name] === undefined) strange.push(`element ${node.outerHTML.slice(0, 200)}`);
    const odd = attributes.filter((each) => !["class", "dir", ...(allowed[name] ?? [])].includes(each));
    if (odd.length > 0) strange.push(`${odd} of ${node.outerHTML.slice(0, 200)}`);
    if (name === "a") {
      links += 1;
      const { protocol, host, username, pathname } = new URL(node.getAttribute("href"));
      const isSafe = ["http:", "https:", "mailto:"].includes(protocol) && username === "";
      if (!isSafe || node.target !== "_blank") strange.push(`link ${node.outerHTML}`);
      if (node.rel !== "noopener noreferrer nofollow") strange.push(`rel ${node.outerHTML}`);
      const where = host === "" ? decodeURIComponent(pathname) : host;
      const said =
        node.textContent + (node.nextElementSibling?.matches(".leads-to") ? node.nextElementSibling.textContent : "");
      if (!said.includes(where)) strange.push(`link without its host ${node.outerHTML}`);
    }
  }
  const counts = {};
  for (const { dataset } of document.querySelectorAll("#timeline > .item")) {
    counts[dataset.role] = (counts[dataset.role] ?? 0) + 1;
  }
  return { strange, links, counts };
}
