// Customers and the real server, without any fault in between.

import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";

import { type Chat, createChat, memoryStorage, type TimelineItem } from "../../src/index.ts";
import { Browser } from "../browser-tabs.ts";
import { until } from "../until.ts";
import { Onya } from "./onya.ts";
import { watch } from "./world.ts";

let onya: Onya;
beforeAll(async () => {
  onya = await Onya.start();
});
afterAll(() => onya?.remove());

function begin(storage = memoryStorage()): Chat {
  const chat = createChat({ url: onya.url, webSocket: WebSocket, storage });
  watch(chat, "story");
  chat.start();
  return chat;
}

/** Nothing gets through. */
class Tunnel extends WebSocket {
  constructor() {
    super("ws://127.0.0.1:1/");
  }
}

const last = (chat: Chat): TimelineItem | undefined => chat.state.timeline.at(-1);
const isAnswered = (chat: Chat) => () => {
  const item = last(chat);
  return item?.kind === "reply" && item.state === "ended";
};
const isIn = (chat: Chat, control: string) => () => chat.state.control?.state === control;

test("a visitor says something, sees the reply being written, and has it in the log", async () => {
  const chat = begin();
  const states = new Set<string>();
  chat.subscribe(() => states.add(chat.state.turn.state));
  const id = chat.say("Hello there");
  expect(chat.state.timeline).toMatchObject([{ kind: "message", key: `message-${id}`, delivery: "sending" }]);
  await until("the reply has ended", isAnswered(chat));
  expect([...states]).toEqual(expect.arrayContaining(["pending", "streaming", "idle"]));
  expect(chat.state.timeline[0]).toMatchObject({ kind: "message", key: `message-${id}`, delivery: "durable" });
  expect(chat.state.conversation?.entries).toEqual(await chat.transcript());
  chat.stop();
});

test("a reply is stopped, answered again and rated", async () => {
  const chat = begin();
  chat.say("/mock long 2000");
  await until("it is streaming", () => chat.state.turn.state === "streaming");
  chat.stopReply();
  await until("it is stopped", isAnswered(chat));
  expect(last(chat)).toMatchObject({ kind: "reply", outcome: "stopped" });
  chat.regenerate();
  await until("it is answered again", () => chat.state.turn.state === "streaming");
  chat.stopReply();
  await until("that is stopped", () => chat.state.turn.state === "idle");
  const [first, second] = chat.state.timeline.filter((item) => item.kind === "reply");
  expect([first?.replaced, second?.replaced]).toEqual([true, false]);
  chat.rate("up", { reply: second?.seq ?? expect.fail(), comment: "Quick!" });
  expect(last(chat)).toMatchObject({ rating: "up", ratingState: "sending" });
  await until(
    "the rating is durable",
    () => last(chat)?.kind === "reply" && chat.state.conversation?.entries.at(-1)?.kind === "rated",
  );
  expect(last(chat)).toMatchObject({ rating: "up", ratingState: "durable" });
  chat.rate("down");
  await until("the conversation is rated", () => chat.state.rating === "down");
  chat.stop();
});

test("a person is asked for, comes, writes and leaves; the conversation is closed and another begins", async () => {
  const chat = begin();
  await until("it is online", () => chat.state.connection.status === "online");
  chat.askForPerson("It is about a refund.");
  await until("it waits", isIn(chat, "queue"));
  chat.backToAssistant();
  await until("it is back", isIn(chat, "assistant"));
  chat.askForPerson();
  await until("it waits again", isIn(chat, "queue"));
  const id = chat.state.conversation?.id;
  const anna = onya.token("--role", "agent", "--name", "Anna");
  const { controlVersion } = chat.state.conversation ?? expect.fail();
  await onya.answer("POST", `/v1/conversations/${id}/claim`, anna, { control_version: controlVersion });
  await until("Anna is there", () => chat.state.agentName === "Anna");
  await onya.answer("POST", `/v1/conversations/${id}/messages`, anna, { text: "Hello, this is Anna." });
  await until("she has written", () => last(chat)?.kind === "message");
  expect(last(chat)).toMatchObject({ role: "agent", name: "Anna", mine: false });
  chat.closeConversation();
  await until("it is closed", isIn(chat, "closed"));
  const late = chat.say("One more thing");
  await until("that is refused", () =>
    chat.state.timeline.some((item) => item.kind === "message" && item.delivery === "failed"),
  );
  await chat.startAnew();
  await until("there is another", () => chat.state.conversation !== null && chat.state.conversation.id !== id);
  expect(chat.state.timeline).toMatchObject([{ id: late, delivery: "failed" }]);
  chat.discard(late);
  expect(chat.state.timeline).toEqual([]);
  expect(isIn(chat, "assistant")()).toBe(true);
  chat.stop();
});

test("two tabs that start at once are one visitor and show the same, live", async () => {
  const browser = new Browser();
  const [one, two] = [browser.tab(), browser.tab()].map(({ storage, locks }) =>
    createChat({ url: onya.url, webSocket: WebSocket, storage, locks }),
  );
  if (!one || !two) return expect.fail();
  one.start();
  two.start();
  one.say("from one");
  two.say("from two");
  await until("both are answered", () =>
    [one, two].every((chat) => chat.state.timeline.length >= 3 && isAnswered(chat)()),
  );
  await until("they show the same", () => one.state.conversation?.cursor === two.state.conversation?.cursor);
  expect(one.state.participant).toBe(two.state.participant);
  expect(one.state.timeline).toEqual(two.state.timeline);
  one.stop();
  two.stop();
});

test("a page that is loaded again in the middle of a reply goes on with it", async () => {
  const storage = memoryStorage();
  const before = begin(storage);
  before.say("/mock long 80");
  await until("it is streaming", () => (before.state.conversation?.live?.bytes ?? 0) > 50);
  const shown = before.state.conversation?.live?.text ?? "";
  before.stop();
  const after = begin(storage);
  await until("the reply is there", () => after.state.turn.state === "streaming");
  expect(after.state.conversation?.live?.text.startsWith(shown)).toBe(true);
  await until("it has ended", isAnswered(after));
  expect(last(after)).toMatchObject({ outcome: "final" });
  after.stop();
});

test("a page that is left before a message was sent has sent it after the next visit", async () => {
  const browser = new Browser();
  const before = begin(browser.storage);
  await until("it is online", () => before.state.connection.status === "online");
  before.stop();
  const tab = browser.tab();
  const inside = createChat({ url: onya.url, webSocket: Tunnel, storage: tab.storage, locks: tab.locks });
  inside.start();
  const id = inside.say("written in a tunnel");
  await until("it tries again", () => inside.state.connection.status === "reconnecting");
  tab.crash();
  inside.stop();
  const { storage, locks } = browser.tab();
  const after = createChat({ url: onya.url, webSocket: WebSocket, storage, locks });
  after.start();
  const isDurable = () => after.state.timeline.some((item) => item.kind === "message" && item.id === id && item.seq);
  await until("it is durable", isDurable);
  after.stop();
});

test("older entries are loaded page by page, without a hole", async () => {
  const storage = memoryStorage();
  const writer = begin(storage);
  for (let count = 0; count < 70; count += 1) writer.say(`message ${count}`, { overlap: "interrupt" });
  await until("all is said", () => writer.state.turn.state === "idle" && writer.state.timeline.length > 70);
  const log = await writer.transcript();
  writer.stop();
  const reader = begin(storage);
  await until("the newest are there", () => reader.state.hasOlder);
  const loading = reader.loadOlder();
  expect(reader.state.loadingOlder).toBe(true);
  await loading;
  while (reader.state.hasOlder) await reader.loadOlder();
  expect(reader.state.conversation?.entries).toEqual(log);
  reader.stop();
});

test("a visitor who wants to be forgotten is somebody new the next time", async () => {
  const storage = memoryStorage();
  const chat = begin(storage);
  chat.say("forget me");
  await until("it is answered", isAnswered(chat));
  const { participant } = chat.state;
  await chat.forget();
  expect(chat.state).toMatchObject({
    connection: { status: "stopped" },
    conversation: null,
    timeline: [],
    participant: null,
  });
  chat.start();
  await until("it is online", () => chat.state.connection.status === "online");
  expect(chat.state.participant).not.toBe(participant);
  expect(chat.state.timeline).toEqual([]);
  chat.stop();
});

test("a conversation that is not this customer's any more is left for the one that is", async () => {
  const storage = memoryStorage();
  const key = `onya ${onya.url} visitor conversation`;
  const chat = begin(storage);
  await until("it is online", () => chat.state.connection.status === "online");
  const id = chat.state.conversation?.id;
  chat.stop();
  const stranger = begin();
  await until("the stranger is online", () => stranger.state.connection.status === "online");
  const kept = storage.getItem(key) ?? "";
  storage.setItem(key, kept.replace(id ?? "", stranger.state.conversation?.id ?? ""));
  stranger.stop();
  const again = begin(storage);
  await until("it is online again", () => again.state.connection.status === "online");
  expect(again.state.conversation?.id).toBe(id);
  again.stop();
});
