// One visitor with several tabs behind a bad network, doing things at random, and what must be true of it all.

import { expect } from "vitest";
import { WebSocket } from "ws";

import { type Chat, type ConversationState, createChat } from "../../src/index.ts";
import { Browser, type BrowserTab } from "../browser-tabs.ts";
import { random } from "../random.ts";
import { until } from "../until.ts";
import { BadNetwork, NO_FAULTS } from "./bad-network.ts";
import type { Onya } from "./onya.ts";

const FAULTS = { cut: 0.01, double: 0.1, replay: 0.05, delayMs: 20 };
const LONGEST_PAUSE_MS = 80;
// A disk that others use as well can take a second for a commit.
const QUIET_WITHIN_MS = 150_000;

/** A tab with its page. */
export interface Page {
  readonly chat: Chat;
  readonly tab: BrowserTab;
  readonly said: string[];
}

/** One visitor. */
export class World {
  readonly seed: number;
  readonly pages: Page[] = [];
  /** What each tab that is gone had said, in order. */
  readonly #saidBefore: string[][] = [];
  readonly #browser = new Browser();
  readonly #draw: () => number;
  readonly #network: BadNetwork;
  #count = 0;

  static async create(onya: Onya, seed: number): Promise<World> {
    const draw = random(seed);
    const world = new World(seed, draw, await BadNetwork.start(onya.url, draw));
    world.open();
    world.open();
    return world;
  }

  private constructor(seed: number, draw: () => number, network: BadNetwork) {
    this.seed = seed;
    this.#draw = draw;
    this.#network = network;
    network.faults = FAULTS;
  }

  get cuts(): number {
    return this.#network.cuts;
  }

  open(): void {
    const tab = this.#browser.tab();
    const { url, fetch } = this.#network;
    const chat = createChat({
      url,
      fetch,
      webSocket: WebSocket,
      storage: tab.storage,
      locks: tab.locks,
      random: this.#draw,
    });
    watch(chat, `seed ${this.seed}`);
    chat.start();
    this.pages.push({ chat, tab, said: [] });
  }

  /** Does `count` things, one after the other. */
  async act(count: number): Promise<void> {
    for (let step = 0; step < count; step += 1) {
      this.#act();
      await new Promise((resolve) => setTimeout(resolve, this.#draw() * LONGEST_PAUSE_MS));
    }
  }

  /** Waits until nothing is under way any more, and compares every page with the server's log. */
  async settle(): Promise<void> {
    this.#network.faults = NO_FAULTS;
    await until(`seed ${this.seed} is quiet: ${this.#summary}`, () => this.#isQuiet(), QUIET_WITHIN_MS).catch(
      (error) => {
        throw new Error(`${error.message}\n${this.#summary}`);
      },
    );
    const log = await this.pages[0]?.chat.transcript();
    for (const { chat } of this.pages) {
      while (chat.state.hasOlder) await chat.loadOlder();
      expect(chat.state.conversation?.entries, `seed ${this.seed}`).toEqual(log);
      expect(failures(chat), `seed ${this.seed}`).toEqual([]);
    }
    const texts = (log ?? []).flatMap((entry) => (entry.kind === "message_said" ? [entry.text] : []));
    const said = [...this.#saidBefore, ...this.pages.map((page) => page.said)];
    expect([...texts].sort(), `seed ${this.seed}: each message once`).toEqual(said.flat().sort());
    for (const own of said) {
      expect(
        texts.filter((text) => own.includes(text)),
        `seed ${this.seed}: in order`,
      ).toEqual(own);
    }
  }

  close(): void {
    for (const { chat } of this.pages) chat.stop();
    this.#network.close();
  }

  #act(): void {
    const page = this.pages[Math.floor(this.#draw() * this.pages.length)];
    if (!page) return;
    const roll = this.#draw();
    if (roll < 0.5) this.#say(page);
    else if (roll < 0.6) page.chat.stopReply();
    else if (roll < 0.68) page.chat.regenerate();
    else if (roll < 0.76) this.#rate(page);
    else if (roll < 0.8) page.chat.askForPerson("at random");
    else if (roll < 0.86) page.chat.backToAssistant();
    else if (roll < 0.92) this.#network.cutAll();
    else if (roll < 0.96) this.#crash(page);
    else page.chat.typing(true);
  }

  #say({ chat, said }: Page): void {
    this.#count += 1;
    const text = `seed ${this.seed} message ${this.#count} – grüße 😀`;
    said.push(text);
    chat.say(text, this.#draw() < 0.3 ? { overlap: "interrupt" } : {});
  }

  #rate({ chat }: Page): void {
    const reply = chat.state.timeline.find((item) => item.kind === "reply" && item.seq !== null);
    if (reply?.kind === "reply" && reply.seq !== null) chat.rate("up", { reply: reply.seq });
  }

  /** A tab is gone in the middle of whatever it did; another one is opened. */
  #crash(page: Page): void {
    page.tab.crash();
    page.chat.stop();
    this.pages.splice(this.pages.indexOf(page), 1);
    this.#saidBefore.push(page.said);
    this.open();
  }

  async #isQuiet(): Promise<boolean> {
    const isEveryPageQuiet = this.pages.every(({ chat }) => isQuiet(chat));
    if (!isEveryPageQuiet) return false;
    const [first] = this.pages;
    const newest = (await first?.chat.transcript().catch(() => []))?.at(-1)?.seq;
    return this.pages.every(({ chat }) => chat.state.conversation?.entries.at(-1)?.seq === newest);
  }

  get #summary(): string {
    return this.pages
      .map(({ chat: { state } }) => {
        const items = state.timeline.filter((item) => item.kind !== "notice").slice(-4);
        return JSON.stringify([state.connection, state.turn, state.conversation?.cursor, state.problem, items]);
      })
      .join("\n");
  }
}

function isQuiet({ state }: Chat): boolean {
  const isSending = state.timeline.some(
    (item) =>
      (item.kind === "message" && item.delivery === "sending") ||
      (item.kind === "command" && item.state === "sending") ||
      (item.kind === "reply" && item.ratingState === "sending"),
  );
  return state.connection.status === "online" && state.turn.state === "idle" && !isSending;
}

/** Messages that were refused: none of these worlds gives a reason for that. */
function failures({ state }: Chat): unknown[] {
  return state.timeline.filter((item) => item.kind === "message" && item.delivery === "failed");
}

/** Looks at every state that a page would draw. */
export function watch(chat: Chat, name: string): void {
  let before: ConversationState | null = null;
  chat.subscribe(() => {
    const { conversation, timeline } = chat.state;
    const keys = timeline.map(({ key }) => key);
    expect(new Set(keys).size, `${name}: doubled items`).toBe(keys.length);
    const [held, live] = [before?.live, conversation?.live];
    before = conversation;
    const isSame =
      held && live && held.turn === live.turn && held.epoch === live.epoch && held.attempt === live.attempt;
    if (isSame) expect(live.text.startsWith(held.text), `${name}: "${held.text}" became "${live.text}"`).toBe(true);
  });
}
