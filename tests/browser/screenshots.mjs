// `node tests/browser/screenshots.mjs`: makes docs/screenshots. What is said in them is said by this script, and every
// clock stands still, so that they change only when the app does.

import { fileURLToPath } from "node:url";

import { Chat, Customer } from "./customer.mjs";
import { chromium, LAUNCH, Stage } from "./stage.mjs";

const FOLDER = fileURLToPath(new URL("../../docs/screenshots/", import.meta.url));
const PHONE = { viewport: { width: 390, height: 720 }, isMobile: true, hasTouch: true };
const DESKTOP = { viewport: { width: 820, height: 600 } };
const ORDER = "Your order **1042** left our warehouse this morning. It is due tomorrow between 9 and 12";
const RETURN = [
  "You can send it back within **30 days**:\n\n1. Print the label from [your orders](https://shop.example/orders).\n",
  "2. Hand the parcel to the carrier.\n\n| Reason | Refund |\n|---|---|\n| damaged | all of it, and the postage |\n",
  "| not wanted | all of it |\n\nBy program:\n\n```sh\ncurl -X POST https://api.shop.example/returns -d order=1042\n```\n",
].join("");
const ARABIC = "غادر طلبك **1042** مستودعنا صباح اليوم، وسيصل غدًا بين التاسعة والثانية عشرة.\n\n- رقم التتبع: `LX-77`\n";

const SHOTS = {
  "streaming-phone": async (stage) => {
    const { chat, page } = await stage.visit("/", calm(PHONE));
    await chat.say("Where is my order 1042?");
    (await stage.model.asked()).say(ORDER);
    await chat.replyGrows();
    return page;
  },
  "queued-phone-dark": async (stage) => {
    const { chat, page } = await stage.visit("/", calm(PHONE, "dark"));
    await chat.say("The cup in my parcel is broken.");
    (await stage.model.asked()).sayAll("I am sorry to hear that. Shall I get somebody who can send you another one?");
    await chat.replyEnds();
    await chat.say("Yes, please.");
    (await stage.model.asked()).askForPerson("A cup arrived broken.");
    await chat.locator('#queue[data-position="1"]').waitFor();
    return page;
  },
  "markdown-desktop": async (stage) => {
    const { chat, page } = await stage.visit("/", calm(DESKTOP));
    await chat.say("How do I return something?");
    (await stage.model.asked()).sayAll(RETURN);
    await chat.replyEnds();
    return page;
  },
  "arabic-phone": async (stage) => {
    const { chat, page } = await stage.visit("/?lang=ar", calm(PHONE));
    await chat.say("أين طلبي رقم 1042؟");
    (await stage.model.asked()).sayAll(ARABIC);
    await chat.replyEnds();
    return page;
  },
  "reconnecting-phone": async (stage) => {
    const { chat, page } = await stage.visit("/", calm(PHONE));
    await chat.say("Where is my order 1042?");
    (await stage.model.asked()).sayAll(`${ORDER}.`);
    await chat.replyEnds();
    await page.context().setOffline(true);
    await chat.banner(/./);
    await chat.say("I am in the train. Can it go to my neighbour?");
    await chat.message("I am in the train. Can it go to my neighbour?", "sending");
    return page;
  },
  "widget-desktop": async (stage) => {
    const context = await stage.person(calm({ viewport: { width: 640, height: 540 } }));
    const { page } = await stage.tabOf(context, `${stage.server.url}/example`, Customer);
    await page.locator("onya-widget button.launcher").click();
    const chat = new Chat(page.frameLocator("onya-widget iframe"));
    await chat.say("Which tea is good in the evening?");
    (await stage.model.asked()).sayAll("Our *Smoked Lapsang*: strong in taste, and low in caffeine.");
    await chat.replyEnds();
    return page;
  },
  "takeover-desk": async (stage) => {
    const { chat } = await stage.visit("/", calm(PHONE));
    await chat.say("Where is my order 1042?");
    (await stage.model.asked()).say(ORDER.replaceAll("*", ""));
    await chat.replyGrows();
    const desk = await stage.desk("Ana", calm(DESKTOP));
    await desk.follow("open");
    await desk.press("take");
    await desk.control("You answer");
    await desk.say("Hello, this is Ana. I have asked the driver: he comes at ten.");
    await desk.page.locator('#timeline > li[data-role="agent"][data-state="stored"]').waitFor();
    await chat.message("Hello, this is Ana. I have asked the driver: he comes at ten.");
    return desk.page;
  },
};

const browser = await chromium.launch(LAUNCH);
try {
  const wanted = Object.entries(SHOTS).filter(([name]) => name.startsWith(process.argv[2] ?? ""));
  for (const [name, play] of wanted) await take(name, play);
} finally {
  await browser.close();
}

async function take(name, play) {
  const stage = await Stage.open(browser, { hasModel: true });
  try {
    const page = await play(stage);
    await page.evaluate(giveFixedName);
    await page.screenshot({ path: `${FOLDER}${name}.png`, animations: "disabled", caret: "hide" });
    console.log(`docs/screenshots/${name}.png`);
  } finally {
    await stage.close();
  }
}

/** Somebody for whom nothing moves, in whose browser it is always half past nine. */
function calm(options, colorScheme = "light") {
  return { ...options, colorScheme, reducedMotion: "reduce", timezoneId: "UTC", init: stopClocks };
}

/** Runs in the page. The desk calls a conversation by the end of its identifier, which is random. */
function giveFixedName() {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (/^Visitor \w{4}$/.test(text.data)) text.data = "Visitor 7c1e";
  }
}

/** Runs in the page. The server's times differ from run to run: what is written of them does not. */
function stopClocks() {
  const write = Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, "format").get;
  const halfPastNine = Date.UTC(2026, 0, 5, 9, 30);
  Object.defineProperty(Intl.DateTimeFormat.prototype, "format", {
    get() {
      const format = write.call(this);
      return () => format(halfPastNine);
    },
  });
}
