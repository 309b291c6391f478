// What a person sees and does on the customer's page or at the desk; what the browser complains of is kept.

import { until } from "./until.mjs";

export class Page {
  #complaints = [];

  /** Opens `url` in a new tab of `context`: tabs of one context share what the browser keeps, as one person's do. */
  static async open(context, url) {
    const page = new Page(await context.newPage());
    await page.#listen();
    await page.tab.goto(url);
    return page;
  }

  constructor(tab) {
    this.tab = tab;
  }

  async #listen() {
    this.tab.on("pageerror", ({ stack }) => this.#complaints.push(stack));
    this.tab.on("console", (message) => {
      if (message.type() === "error") this.#complaints.push(`${message.text()} (${message.location().url})`);
    });
    await this.tab.addInitScript(() => {
      addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
        console.error(`violates ${violatedDirective}: ${blockedURI}`);
      });
    });
  }

  /** Errors of the console and of scripts, and violations of the Content-Security-Policy, but for `expected` ones. */
  complaints(expected = /^$/) {
    return this.#complaints.filter((complaint) => !expected.test(complaint));
  }

  /** Writes and sends as soon as the page lets one: on a first visit that takes a moment. */
  async say(text) {
    await this.tab.locator("#text").fill(text);
    await this.tab.locator("#send:enabled").waitFor();
    await this.tab.locator("#text").press("Enter");
  }

  /** Clicks a button once it can be clicked. */
  async press(id) {
    await this.tab.locator(`#${id}`).click();
  }

  /** What the page shows of the conversation, in order: { kind, role, state, author, text, marker }. */
  items() {
    return this.tab.locator("#timeline > li").evaluateAll((nodes) =>
      nodes.map((node) => ({
        kind: ["message", "reply", "notice"].find((kind) => node.classList.contains(kind)),
        role: node.dataset.role,
        state: node.dataset.state,
        author: node.querySelector(".author")?.textContent,
        text: node.querySelector(".text")?.textContent ?? node.textContent,
        marker: node.querySelector(".marker")?.textContent,
      })),
    );
  }

  /** The newest reply, as soon as it is as `accept` says. */
  async reply(what, accept) {
    const newest = async () => (await this.items()).findLast(({ kind }) => kind === "reply");
    return until(what, newest, (reply) => reply !== undefined && accept(reply));
  }

  /** Waits until the reply is being written and shows more than `text`; what it shows then. */
  async replyGrows(text = "") {
    const more = ({ state, text: shown }) => state === "streaming" && shown.startsWith(text) && shown.length > text.length;
    return (await this.reply(`a reply that goes on after “${text.slice(-40)}”`, more)).text;
  }

  /** Waits until the reply is final. */
  replyEnds() {
    return this.reply("the end of the reply", ({ state }) => state === "ended");
  }

  /** Waits until a message is shown in this state: "sending" or "stored". */
  async message(text, state = "stored") {
    const isIt = (item) => item.kind === "message" && item.text === text && item.state === state;
    return (await until(`the message “${text}”, ${state}`, () => this.items(), (items) => items.some(isIt))).find(isIt);
  }

  /** Waits until the text of an element that is shown matches. */
  async shows(id, pattern) {
    await this.tab.locator(`#${id}`).filter({ hasText: pattern }).waitFor();
  }

  /** Waits until an element is not shown. */
  async hides(id) {
    await this.tab.locator(`#${id}`).waitFor({ state: "hidden" });
  }

  /** From now on keeps each text that a reply shows while it is being written; `read()` returns them in order. */
  async recordStreaming() {
    await this.tab.evaluate(() => {
      globalThis.streamed = [];
      const look = () => {
        const text = document.querySelector('.reply[data-state="streaming"] .text')?.textContent;
        if (text !== undefined && text !== globalThis.streamed.at(-1)) globalThis.streamed.push(text);
      };
      const everything = { subtree: true, childList: true, characterData: true, attributes: true };
      new MutationObserver(look).observe(document.getElementById("timeline"), everything);
    });
    return { read: () => this.tab.evaluate(() => globalThis.streamed) };
  }

  /** The token by which the server knows this visitor. */
  token() {
    return this.tab.evaluate(() => JSON.parse(localStorage.getItem("onya.customer")).token);
  }
}
