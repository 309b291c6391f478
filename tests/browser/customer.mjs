// What a customer sees and does: in a tab of its own, or in the frame of a widget.

import { Tab } from "./tab.mjs";
import { until } from "./until.mjs";
import { installWitness } from "./witness.mjs";

/** The chat in a page or in a frame of one. */
export class Chat {
  constructor(frame) {
    this.frame = frame;
  }

  locator(selector) {
    return this.frame.locator(selector);
  }

  /** Writes and sends. */
  async say(text) {
    await this.locator("#text").fill(text);
    await this.locator("#text").press("Enter");
  }

  /** Clicks a button once it can be clicked. */
  async press(id) {
    await this.locator(`#${id}`).click();
  }

  /** Clicks a button of the menu. */
  async choose(id) {
    await this.press("menu");
    await this.press(id);
  }

  /** What the page shows of the conversation, in order. */
  items() {
    return this.locator("#timeline > li").evaluateAll((nodes) =>
      nodes.map((node) => ({
        kind: ["message", "reply", "notice", "command", "day"].find((kind) => node.classList.contains(kind)),
        role: node.dataset.role,
        state: node.dataset.state,
        outcome: node.dataset.outcome,
        replaced: node.dataset.replaced === "true",
        author: node.querySelector(".author")?.textContent,
        text: node.querySelector(".text")?.textContent ?? (node.classList.contains("notice") ? node.textContent : ""),
        marker: node.querySelector(".marker")?.textContent,
      })),
    );
  }

  /** Waits until what is shown of the conversation is as `accept` says. */
  shows(what, accept) {
    return until(what, () => this.items(), accept);
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

  /** Waits until there are `count` replies, and the newest is over. */
  async replyEnds(count = 1) {
    const replies = (items) => items.filter(({ kind }) => kind === "reply");
    const isOver = (items) => replies(items).length === count && replies(items).at(-1).state === "ended";
    return replies(await this.shows(`the end of reply ${count}`, isOver)).at(-1);
  }

  /** Waits until a message is shown in this state: "sending", "durable" or "failed". */
  async message(text, state = "durable") {
    const isIt = (item) => item.kind === "message" && item.text === text && item.state === state;
    return (await this.shows(`the message “${text}”, ${state}`, (items) => items.some(isIt))).find(isIt);
  }

  /** Waits until the header says who answers. */
  async isWith(who, text = /./) {
    await this.locator(`#control[data-control="${who}"]`).filter({ hasText: text }).waitFor();
  }

  /** Waits until the connection is in this state. */
  async connection(status) {
    await this.locator(`.app[data-connection="${status}"]`).waitFor();
  }

  /** Waits until the line below the header says something. */
  async banner(pattern) {
    await this.locator("#banner").filter({ hasText: pattern }).waitFor();
  }

  /** What has been seen since the page was loaded. */
  witness() {
    return this.locator(":root").evaluate(() => globalThis.witness);
  }
}

/** A tab with the chat in it. */
export class Customer extends Tab {
  constructor(page, origins) {
    super(page, origins);
    this.chat = new Chat(page);
  }

  async prepare() {
    await super.prepare();
    await this.page.addInitScript(installWitness);
  }

  async problems() {
    await this.#report();
    return super.problems();
  }

  async reload() {
    await this.#report();
    await super.reload();
  }

  /** The witnesses of the page and of the frames in it; there is none where a frame was refused. */
  async #report() {
    for (const frame of this.page.frames()) {
      const faults = await frame.evaluate(() => globalThis.witness?.faults ?? []);
      for (const fault of faults) this.complain(fault);
    }
  }
}
