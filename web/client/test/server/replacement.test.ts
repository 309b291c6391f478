// A planned end: the new socket is opened before the old one is closed.

import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";

import { createChat, memoryStorage } from "../../src/index.ts";
import { until } from "../until.ts";
import { BadNetwork } from "./bad-network.ts";
import { Onya } from "./onya.ts";
import { statuses } from "./statuses.ts";
import { watch } from "./world.ts";

let onya: Onya;
beforeAll(async () => {
  onya = await Onya.start();
});
afterAll(() => onya?.remove());

test("a goaway in the middle of a reply leaves no gap, doubles nothing and shows no break", async () => {
  const network = await BadNetwork.start(onya.url, () => 0.5);
  const chat = createChat({ url: network.url, fetch: network.fetch, webSocket: WebSocket, storage: memoryStorage() });
  const seen = statuses(chat);
  watch(chat, "goaway");
  chat.start();
  chat.say("/mock long 150");
  for (let count = 1; count <= 5; count += 1) {
    const length = chat.state.conversation?.live?.bytes ?? 0;
    await until("the reply goes on", () => (chat.state.conversation?.live?.bytes ?? 0) > length + 20);
    network.announce({ type: "goaway", retry_after_ms: 20 });
    const during = chat.say(`said during the change ${count}`);
    await until("there is another socket", () => network.opened === count + 1);
    const isDurable = () =>
      chat.state.timeline.some((item) => item.kind === "message" && item.id === during && item.seq);
    await until("what was said is durable", isDurable);
  }
  expect(seen).toEqual(["connecting", "online"]);
  const isDone = () => chat.state.turn.state === "idle" && !chat.state.conversation?.live;
  await until("the replies have ended", isDone);
  const log = await chat.transcript();
  expect(chat.state.conversation?.entries).toEqual(log);
  expect(log.filter(({ kind }) => kind === "message_said").length).toBe(6);
  chat.stop();
  network.close();
});

test("when the server is told to stop, the reply is finished, and the chat goes on with the next server", async () => {
  const chat = createChat({ url: onya.url, webSocket: WebSocket, storage: memoryStorage() });
  watch(chat, "SIGTERM");
  const restored: boolean[] = [];
  chat.subscribe(() => {
    const { connection } = chat.state;
    if (connection.status === "online") restored.push(connection.restored);
  });
  chat.start();
  chat.say("/mock long 60");
  await until("the reply is streaming", () => chat.state.turn.state === "streaming");
  const ended = onya.end("SIGTERM");
  await until("the connection is lost", () => chat.state.connection.status === "reconnecting");
  expect(chat.state.timeline.at(-1)).toMatchObject({ kind: "reply", outcome: "final" });
  await ended;
  const id = chat.say("Are you back?");
  await onya.start();
  const isDurable = () => chat.state.timeline.some((item) => item.kind === "message" && item.id === id && item.seq);
  await until("what was said is durable", isDurable);
  await until("the reply has ended", () => chat.state.turn.state === "idle");
  expect(chat.state.conversation?.entries).toEqual(await chat.transcript());
  expect(restored).toContain(true);
  chat.stop();
});
