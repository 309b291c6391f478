// Tokens that end while somebody talks: nobody notices.

import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";

import { isRecord } from "../../src/frames.ts";
import { type Chat, type ChatOptions, type ChatStorage, createChat, memoryStorage } from "../../src/index.ts";
import { Browser } from "../browser-tabs.ts";
import { until } from "../until.ts";
import { Onya } from "./onya.ts";
import { statuses } from "./statuses.ts";

const TTL_S = 3;

const CUSTOMER = "0198a1f0-0000-7000-8000-0000000000c1";

let onya: Onya;
beforeAll(async () => {
  onya = await Onya.start({ "auth.leeway_s": "0" });
});
afterAll(() => onya?.remove());

function chatOf(options: Partial<ChatOptions> = {}): Chat {
  return createChat({ url: onya.url, webSocket: WebSocket, storage: memoryStorage(), ...options });
}

/** A token that was good and is not any more. */
async function endedToken(participant: string): Promise<string> {
  const token = onya.token("--role", "customer", "--ttl", "1s", "--sub", participant);
  const isRefused = async () => (await onya.answer("POST", "/v1/conversations", token)).status === 401;
  await until("the token has ended", isRefused);
  return token;
}

async function talkFor(chat: Chat, lifetimes: number): Promise<void> {
  const endAt = Date.now() + lifetimes * TTL_S * 1_000;
  for (let count = 1; Date.now() < endAt; count += 1) {
    const id = chat.say(`message ${count}`);
    const isDurable = () =>
      chat.state.timeline.some((item) => item.kind === "message" && item.id === id && item.delivery === "durable");
    await until(`message ${count} is durable`, isDurable);
    await until(`message ${count} is answered`, () => chat.state.turn.state === "idle");
  }
}

test("a customer's token is asked for again before it ends, and the socket changes without a break", async () => {
  const identity = vi.fn(async () => onya.token("--role", "customer", "--ttl", `${TTL_S}s`, "--sub", CUSTOMER));
  const chat = chatOf({ identity });
  const seen = statuses(chat);
  chat.start();
  await talkFor(chat, 2.5);
  expect(identity.mock.calls.length).toBeGreaterThan(2);
  expect(seen).toEqual(["connecting", "online"]);
  expect(chat.state.conversation?.entries).toEqual(await chat.transcript());
  chat.stop();
});

test("a customer's token that has ended is replaced, after a refusal", async () => {
  const tokens = [await endedToken(CUSTOMER), onya.token("--role", "customer", "--ttl", "1h", "--sub", CUSTOMER)];
  const identity = vi.fn(async () => tokens.shift() ?? expect.fail());
  const chat = chatOf({ identity });
  chat.start();
  await until("it is online", () => chat.state.connection.status === "online");
  expect(identity).toHaveBeenCalledTimes(2);
  expect(chat.state.participant).toBe(CUSTOMER);
  chat.stop();
});

test("a forged token ends it, with a problem that says so", async () => {
  const chat = chatOf({ identity: async () => "forged" });
  chat.start();
  chat.say("Hello");
  await until("it has ended", () => chat.state.connection.status === "ended");
  expect(chat.state.connection).toMatchObject({ status: "ended", code: 3500 });
  expect(chat.state.timeline).toMatchObject([{ kind: "message", delivery: "failed", failure: { canRetry: true } }]);
});

test("a page that cannot say who it is says why, and goes on once it can", async () => {
  let isLoggedIn = false;
  const identity = async () => {
    if (!isLoggedIn) throw new Error("not logged in");
    return onya.token("--role", "customer");
  };
  const chat = chatOf({ identity });
  chat.start();
  await until("there is a problem", () => chat.state.problem !== null);
  expect(chat.state.problem).toEqual({ code: "identity_failed", message: "not logged in" });
  isLoggedIn = true;
  await until("it is online", () => chat.state.connection.status === "online");
  expect(chat.state.problem).toBeNull();
  chat.stop();
});

/** Changes the token that a visitor's browser keeps. */
function edit(storage: ChatStorage, change: Readonly<Record<string, unknown>>): string {
  const key = `onya ${onya.url} visitor token`;
  const held: unknown = JSON.parse(storage.getItem(key) ?? "{}");
  if (!isRecord(held)) return expect.fail("no token is kept");
  storage.setItem(key, JSON.stringify({ ...held, ...change }));
  return String(held.token);
}

test("a visitor's token is renewed after half of its life: the same visitor in every tab, without a break", async () => {
  const browser = new Browser();
  const [one, two] = [browser.tab(), browser.tab()].map(({ storage, locks }) => chatOf({ storage, locks }));
  if (!one || !two) return expect.fail();
  one.start();
  await until("it is online", () => one.state.connection.status === "online");
  one.stop();
  const seen = [statuses(one), statuses(two)];
  const before = edit(browser.storage, { obtainedAt: Date.now() - 40_000, expiresAt: Date.now() + 20_000 });
  one.start();
  two.start();
  await until("the token is another", () => edit(browser.storage, {}) !== before);
  await Promise.all([talkFor(one, 0.5), talkFor(two, 0.5)]);
  await until("both have the same log", () => one.state.conversation?.cursor === two.state.conversation?.cursor);
  expect(one.state.participant).toBe(two.state.participant);
  expect(one.state.conversation?.entries).toEqual(two.state.conversation?.entries);
  expect(seen).toEqual([
    ["connecting", "online"],
    ["connecting", "online"],
  ]);
  one.stop();
  two.stop();
});

test("a visitor whose token has ended is somebody new, and what was not sent is kept", async () => {
  const storage = memoryStorage();
  const chat = chatOf({ storage });
  chat.start();
  await until("it is online", () => chat.state.connection.status === "online");
  chat.stop();
  const { participant } = chat.state;
  edit(storage, { token: await endedToken(participant ?? expect.fail()) });
  const id = chat.say("Is anybody there?");
  chat.start();
  await until("it is online", () => chat.state.connection.status === "online");
  expect(chat.state.participant).not.toBe(participant);
  expect(chat.state.timeline).toMatchObject([{ id, delivery: "failed", failure: { canRetry: true } }]);
  chat.retry(id);
  const isDurable = () => chat.state.timeline.some((item) => item.kind === "message" && item.seq !== null);
  await until("it is durable", isDurable);
  chat.stop();
});
