// Another customer on the same page: nothing of the one before reaches them, and a stopped chat does nothing.

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { ServerFrame } from "../src/generated/protocol.ts";
import { createChat } from "../src/index.ts";
import { type ChatStorage, memoryStorage } from "../src/storage.ts";
import { type FakeSocket, fakeSockets } from "./fake-socket.ts";
import { HISTORY_EPOCH } from "./model-server.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const LIFE_MS = 300_000;
const SECRET = "only for the bank";
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const conversationOf = (subject: string) => `conversation-of-${subject}`;

function tokenOf(subject: string): string {
  const iat = Date.now() / 1_000;
  const payload = { sub: subject, iat, exp: iat + LIFE_MS / 1_000 };
  return `h.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.s`;
}

async function server(_input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const [, payload = ""] = (new Headers(init?.headers).get("Authorization") ?? "").split(".");
  const { sub } = JSON.parse(Buffer.from(payload, "base64url").toString());
  return Response.json({ id: conversationOf(sub) });
}

function hello(participant: string): ServerFrame {
  const limits = { ping_interval_ms: 3_600_000, pong_timeout_ms: 8_000, max_message_bytes: 16_384 };
  return { type: "hello", version: 1, participant, role: "customer", ...limits };
}

function synced(subject: string): ServerFrame {
  return {
    type: "synced",
    conversation: conversationOf(subject),
    history_epoch: HISTORY_EPOCH,
    position: 1,
    recovered: false,
    reason: "new",
    entries: [{ seq: 1, prev: 0, at: 1, kind: "opened", language: "en" }],
    has_older: false,
    control: { state: "assistant" },
    control_version: 0,
  };
}

async function takes(socket: FakeSocket, subject: string): Promise<void> {
  socket.opens();
  socket.hears(hello(subject));
  socket.hears(synced(subject));
  await pass(200);
}

/** A page of one customer, online. `values` is what its storage holds. */
async function page(identity: () => Promise<string>) {
  const values = new Map<string, string>();
  const storage: ChatStorage = {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  };
  const { webSocket, sockets, last } = fakeSockets();
  const chat = createChat({ url: "http://chat.test", identity, storage, locks: null, webSocket, fetch: server });
  chat.start();
  await pass(200);
  await takes(last(), "A");
  const saved = () => [...values].filter(([key]) => /outbox\.\d+$/.test(key)).map(([, value]) => JSON.parse(value));
  return { chat, sockets, last, saved };
}

/** A page where A is signed in, and then B. */
async function pageOfTwo() {
  let subject = "A";
  const all = await page(async () => tokenOf(subject));
  const signIn = (other: string) => {
    subject = other;
  };
  return { ...all, signIn };
}

test("what one customer has not sent stays theirs when another signs in", async () => {
  const { chat, last, saved, signIn } = await pageOfTwo();
  last().closes(1006);
  chat.say(SECRET);
  signIn("B");
  await pass(LIFE_MS);
  for (let round = 0; round < 9 && !last().url.includes("of-B"); round += 1) {
    last().closes(1006);
    await pass(20_000);
  }
  await takes(last(), "B");
  expect(JSON.stringify(chat.state.timeline)).not.toContain(SECRET);
  expect(JSON.stringify(last().sent)).not.toContain(SECRET);
  expect(saved()).toMatchObject([
    { owner: "A", conversation: conversationOf("A"), items: [{ frame: { text: SECRET } }] },
  ]);
  chat.stop();
});

test("what is typed once the conversation is another never goes out on the socket of the one before", async () => {
  const { chat, sockets, last, signIn } = await pageOfTwo();
  const [first] = sockets;
  signIn("B");
  // The token is renewed after four fifths of its life; the new socket is dialled and not open yet.
  await pass(LIFE_MS * 0.8 + 500);
  expect(last().url).toContain(conversationOf("B"));
  chat.say("from B");
  expect(JSON.stringify(first?.sent)).not.toContain("from B");
  await takes(last(), "B");
  expect(last().sent).toMatchObject([{ type: "hello" }, { type: "say", text: "from B" }]);
  chat.stop();
});

test("a token that comes after the chat was stopped changes nothing", async () => {
  let give: (token: string) => void = () => undefined;
  const identity = vi.fn(async () => tokenOf("A"));
  const { chat, sockets, last, saved } = await page(identity);
  identity.mockImplementation(() => new Promise((resolve) => (give = resolve)));
  last().closes(1006);
  chat.say(SECRET);
  await pass(LIFE_MS);
  last().closes(1006);
  await pass(10_000);
  chat.stop();
  const dialled = sockets.length;
  const before = saved();
  expect(before).toMatchObject([{ owner: "A" }]);
  give(tokenOf("B"));
  await pass(LIFE_MS);
  expect(saved()).toEqual(before);
  expect(chat.state.conversation?.id).toBe(conversationOf("A"));
  expect(sockets.length).toBe(dialled);
});

test("an identity that never answers is given up and asked again", async () => {
  const identity = vi.fn(() => new Promise<string>(() => undefined));
  const { webSocket } = fakeSockets();
  const chat = createChat({ url: "http://chat.test", identity, storage: memoryStorage(), locks: null, webSocket });
  chat.start();
  await pass(15_000);
  expect(chat.state.problem?.code).toBe("identity_failed");
  await pass(1_000);
  expect(identity).toHaveBeenCalledTimes(2);
  chat.stop();
});
