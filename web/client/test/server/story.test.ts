// One customer and the real server, without any fault in between.

import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";

import { createChat, memoryStorage } from "../../src/index.ts";
import { until } from "../until.ts";
import { Onya } from "./onya.ts";

let onya: Onya;
beforeAll(async () => {
  onya = await Onya.start();
});
afterAll(() => onya?.remove());

test("a visitor says something, sees the reply being written, and has it in the log", async () => {
  const chat = createChat({ url: onya.url, webSocket: WebSocket, storage: memoryStorage() });
  const states = new Set<string>();
  chat.subscribe(() => states.add(chat.state.turn.state));
  chat.start();
  const id = chat.say("Hello there");
  expect(chat.state.timeline).toMatchObject([{ kind: "message", key: `message-${id}`, delivery: "sending" }]);
  await until("the reply has ended", () =>
    chat.state.timeline.some((item) => item.kind === "reply" && item.state === "ended"),
  );
  expect([...states]).toEqual(expect.arrayContaining(["pending", "streaming", "idle"]));
  expect(chat.state.timeline[0]).toMatchObject({ kind: "message", key: `message-${id}`, delivery: "durable" });
  expect(chat.state.conversation?.entries).toEqual(await chat.transcript());
  chat.stop();
});
