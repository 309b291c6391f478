// The widget on somebody else's site: another origin, another policy, and a browser that blocks what sites share.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";

import { Chat, Customer } from "./customer.mjs";
import { Site } from "./site.mjs";
import { chromium, LAUNCH } from "./stage.mjs";
import { story } from "./story.mjs";

const SECRET = "5f".repeat(32);
const site = await Site.start();
after(() => site.stop());
const LISTED = { ONYA_WEB__FRAME_ANCESTORS: site.origin, ONYA_AUTH__IDENTITY_KEYS: `shop:${SECRET}` };

/** Somebody on the site. `chat` is what is in the frame. */
class Guest extends Customer {
  constructor(page, origins) {
    super(page, origins);
    this.launcher = page.locator("onya-widget button.launcher");
    this.badge = page.locator("onya-widget .badge");
    this.panel = page.locator("onya-widget .panel");
    this.chat = new Chat(page.frameLocator("onya-widget iframe"));
  }
}

function guestOn(stage, context, path = "/") {
  site.onya = stage.server.url;
  return stage.tabOf(context, site.origin + path, Guest, [stage.server.url]);
}

story(
  "a visitor of a site opens the panel, chats, leaves it, and sees how much is unread",
  async (stage) => {
    const guest = await guestOn(stage, await stage.person());
    const { chat, page, launcher, badge, panel } = guest;
    await launcher.waitFor();
    assert.equal(await page.locator("onya-widget iframe").count(), 0, "nothing is loaded before it is wanted");
    await launcher.focus();
    await page.keyboard.press("Enter");
    await chat.isWith("assistant");
    await chat.locator("#text:focus").waitFor();
    await page.keyboard.type("Hello from the shop");
    await page.keyboard.press("Enter");
    const reply = await stage.model.asked();
    assert.equal(reply.question, "Hello from the shop");
    reply.say("I am ");
    await chat.replyGrows();

    await page.keyboard.press("Escape");
    await panel.waitFor({ state: "hidden" });
    const focused = () => page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.className);
    assert.equal(await focused(), "launcher", "the focus is back where it was");
    reply.say("here.");
    reply.end();
    await badge.filter({ hasText: "1" }).waitFor();
    assert.match(await launcher.getAttribute("aria-label"), /1 unread/);

    await guest.reload();
    await badge.filter({ hasText: "1" }).waitFor();
    await launcher.click();
    assert.equal((await chat.replyEnds()).text, "I am here.");
    await badge.waitFor({ state: "hidden" });
    await chat.press("minimise");
    await panel.waitFor({ state: "hidden" });
  },
  { hasModel: true, settings: LISTED },
);

story(
  "the site says who the customer is, by a token in the tag or later by its script",
  async (stage) => {
    const inTag = await guestOn(stage, await stage.person(), `/?token=${identityToken("customer-7", "Zoë")}`);
    await inTag.launcher.click();
    await inTag.chat.say("It is me.");
    await inTag.chat.replyEnds();

    const byScript = await guestOn(stage, await stage.person());
    await byScript.launcher.click();
    await byScript.chat.say("Nobody knows me yet.");
    await byScript.chat.replyEnds();
    byScript.expects(/^gone: /);
    const token = identityToken("customer-7", "Zoë");
    await byScript.page.evaluate((value) => globalThis.OnyaWidget.setToken(() => Promise.resolve(value)), token);
    await byScript.chat.message("It is me.");

    const staff = stage.staff("Ana");
    const open = await staff.open();
    assert.equal(open.length, 2, "one of the visitor, one of the customer");
    const authors = [];
    for (const { id } of open) authors.push(...(await staff.entries(id)).map(({ author }) => author?.name));
    assert.ok(authors.includes("Zoë"), JSON.stringify(authors));
  },
  { settings: LISTED },
);

story("a site that is not listed shows no chat, and its visitor is told so", async (stage) => {
  const guest = await guestOn(stage, await stage.person());
  guest.expects(/frame-ancestors/);
  guest.expects(/chrome-error:/);
  await guest.page.clock.install();
  await guest.launcher.click();
  await guest.page.clock.runFor(10_000);
  await guest.page.locator("onya-widget .trouble").waitFor();
  assert.deepEqual(await stage.staff("Ana").open(), []);
  await guest.page.keyboard.press("Escape");
});

for (const [how, person] of [
  ["in a browser that blocks cookies and storage of others", cautiousBrowser],
  ["in a frame that may keep nothing at all", forgetfulFrame],
]) {
  story(
    `a conversation is still there after a reload ${how}`,
    async (stage, t) => {
      const guest = await guestOn(stage, await person(stage));
      await guest.launcher.click();
      await guest.chat.say("Remember me.");
      await guest.chat.replyEnds();
      const shown = await guest.chat.items();
      const keeps = await guest.chat.locator(":root").evaluate(ownStorageWorks);
      t.diagnostic(`the frame has ${keeps ? "a storage of its own" : "no storage"}`);
      await guest.reload();
      await guest.launcher.click();
      assert.deepEqual(await guest.chat.shows("the conversation", ({ length }) => length === 2), shown);
      await guest.chat.say("Still here?");
      await guest.chat.replyEnds(2);
      assert.equal((await stage.staff("Ana").open()).length, 1);
    },
    { settings: LISTED },
  );
}

/** Chromium with the setting "block third-party cookies" switched on in its profile. */
async function cautiousBrowser(stage) {
  const profile = join(stage.server.folder, "profile");
  mkdirSync(join(profile, "Default"), { recursive: true });
  const settings = { profile: { block_third_party_cookies: true, cookie_controls_mode: 1 } };
  writeFileSync(join(profile, "Default", "Preferences"), JSON.stringify(settings));
  return stage.keep(await chromium.launchPersistentContext(profile, { ...LAUNCH, locale: "en-US" }));
}

/** A frame whose storage throws, as browsers have it where all site data of others is blocked. */
async function forgetfulFrame(stage) {
  const context = await stage.person();
  await context.addInitScript(() => {
    if (globalThis.parent === globalThis) return;
    for (const name of ["localStorage", "sessionStorage"]) {
      const get = () => {
        throw new DOMException("Access is denied for this document.", "SecurityError");
      };
      Object.defineProperty(globalThis, name, { get });
    }
  });
  return context;
}

function ownStorageWorks() {
  try {
    return globalThis.localStorage.length >= 0;
  } catch {
    return false;
  }
}

/** What the server of a site signs, by the description in docs/API.md. */
function identityToken(id, name) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 900;
  const signed = `${part({ alg: "HS256", typ: "JWT", kid: "shop" })}.${part({ aud: "onya", sub: id, name, exp })}`;
  return `${signed}.${createHmac("sha256", Buffer.from(SECRET, "hex")).update(signed).digest("base64url")}`;
}
