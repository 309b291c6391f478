// One logical connection over many sockets.

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { type AddressFailure, Connection, type LinkEnd, type LinkStatus } from "../src/connection.ts";
import type { ServerFrame } from "../src/generated/protocol.ts";
import { fakeSockets } from "./fake-socket.ts";
import { HISTORY_EPOCH, ID } from "./model-server.ts";

const HELLO: ServerFrame = {
  type: "hello",
  version: 1,
  participant: "p",
  role: "customer",
  ping_interval_ms: 25_000,
  pong_timeout_ms: 8_000,
  max_message_bytes: 16_384,
};
const SYNCED: ServerFrame = {
  type: "synced",
  conversation: ID,
  history_epoch: HISTORY_EPOCH,
  position: 0,
  recovered: true,
  entries: [],
  has_older: false,
  control: { state: "assistant" },
  control_version: 0,
};
const PING: ServerFrame = { type: "ping", positions: [] };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Setup {
  readonly random?: () => number;
  readonly mayGoOn?: (end: LinkEnd) => boolean;
  readonly address?: () => Promise<{ url: string; token: string }>;
  readonly failure?: AddressFailure;
}

async function connected(setup: Setup = {}) {
  const fakes = fakeSockets();
  const statuses: LinkStatus[] = [];
  const frames: ServerFrame[] = [];
  const promoted = vi.fn();
  const connection = new Connection(
    {
      address: setup.address ?? (async () => ({ url: "ws://chat.test/", token: "t" })),
      addressFailed: () => setup.failure ?? { retryAfterMs: null },
      hello: (token) => ({ type: "hello", versions: [1], token }),
      promoted,
      frame: (frame) => void frames.push(frame),
      closed: (end) => setup.mayGoOn?.(end) ?? !end.isFinal,
      status: (status) => void statuses.push(status),
    },
    fakes.webSocket,
    setup.random ?? (() => 0.5),
  );
  connection.open();
  await settled();
  const status = () => statuses.at(-1);
  return { ...fakes, connection, statuses, status, frames, promoted };
}

/** Lets promises go on, without any time passing. */
const settled = () => vi.advanceTimersByTimeAsync(0);

async function online(setup: Setup = {}) {
  const all = await connected(setup);
  greet(all.last());
  return all;
}

function greet(socket: ReturnType<ReturnType<typeof fakeSockets>["last"]>): void {
  socket.opens();
  socket.hears(HELLO);
  socket.hears(SYNCED);
}

test("hello is the first frame, and the socket counts once it is in step", async () => {
  const { last, status, promoted } = await connected();
  last().opens();
  expect(last().sent).toEqual([{ type: "hello", versions: [1], token: "t" }]);
  last().hears(HELLO);
  expect(status()).toEqual({ status: "connecting" });
  last().hears(SYNCED);
  expect(status()).toEqual({ status: "online" });
  expect(promoted).toHaveBeenCalledTimes(1);
});

test("a lost socket is replaced after pauses that grow and are jittered", async () => {
  const draws = [0, 1, 0.5, 0, 0, 0, 0, 0];
  const { last, status } = await connected({ random: () => draws.shift() ?? 0 });
  const pauses: number[] = [];
  for (let attempt = 1; attempt <= 8; attempt += 1) {
    last().closes(1006);
    const now = status();
    if (now?.status !== "reconnecting") return expect.fail("not reconnecting");
    expect(now.attempt).toBe(attempt);
    pauses.push(now.retryAt - Date.now());
    await vi.advanceTimersByTimeAsync(now.retryAt - Date.now());
  }
  expect(pauses).toEqual([125, 500, 750, 1_000, 2_000, 4_000, 7_500, 7_500]);
});

test("the pauses begin anew after a socket that was good for a while, not after one that was lost at once", async () => {
  const { last, sockets, status } = await online();
  for (const stableMs of [10, 10, 6_000]) {
    await vi.advanceTimersByTimeAsync(stableMs);
    last().closes(1006);
    const now = status();
    expect(now).toMatchObject({ status: "reconnecting", attempt: stableMs === 10 ? sockets.length : 1 });
    await vi.advanceTimersByTimeAsync(20_000);
    greet(last());
  }
});

test("a refusal's retry_after_ms is waited for, also by a page that is looked at again", async () => {
  const { last, sockets, connection } = await connected();
  last().opens();
  last().hears({ type: "refused", code: "busy", message: "full", retry_after_ms: 4_000 });
  last().closes(3004);
  await vi.advanceTimersByTimeAsync(3_900);
  connection.hurry();
  await settled();
  expect(sockets.length).toBe(1);
  await vi.advanceTimersByTimeAsync(100);
  expect(sockets.length).toBe(2);
});

test("a page that is looked at again, or has its network back, connects at once", async () => {
  const { last, sockets, connection } = await connected();
  for (let index = 0; index < 7; index += 1) {
    last().closes(1006);
    await vi.advanceTimersByTimeAsync(15_000);
  }
  last().closes(1006);
  const before = sockets.length;
  connection.hurry();
  await settled();
  expect(sockets.length).toBe(before + 1);
});

test("a socket that is silent for longer than pings may take is given up", async () => {
  const { last, sockets, status } = await online();
  await vi.advanceTimersByTimeAsync(30_000);
  last().hears(PING);
  expect(last().sent.at(-1)).toEqual({ type: "pong" });
  await vi.advanceTimersByTimeAsync(32_999);
  expect(status()).toEqual({ status: "online" });
  await vi.advanceTimersByTimeAsync(1);
  expect(status()?.status).toBe("reconnecting");
  expect(sockets[0]?.isDiscarded).toBe(true);
});

test("a socket that never gets in step is given up", async () => {
  const { last, status } = await connected();
  last().opens();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(status()?.status).toBe("reconnecting");
});

test("sending after a silence asks for a sign of life, and a dead socket is noticed soon", async () => {
  const { last, connection, status } = await online();
  connection.send({ type: "typing", active: true });
  expect(last().sent.at(-1)?.type).toBe("typing");
  await vi.advanceTimersByTimeAsync(6_000);
  connection.send({ type: "typing", active: true });
  expect(last().sent.at(-1)).toEqual({ type: "ping" });
  await vi.advanceTimersByTimeAsync(8_000);
  expect(status()?.status).toBe("reconnecting");
});

test("a sign of life ends the doubt about a socket", async () => {
  const { last, connection, status } = await online();
  connection.doubt();
  await vi.advanceTimersByTimeAsync(1_000);
  last().hears({ type: "pong" });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(status()?.status).toBe("online");
  connection.doubt();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(status()?.status).toBe("reconnecting");
});

test("after goaway the new socket is opened first, and the old one closed once the new one is in step", async () => {
  const { sockets, statuses, frames, promoted } = await online();
  const [old] = sockets;
  old?.hears({ type: "goaway", retry_after_ms: 700 });
  await vi.advanceTimersByTimeAsync(699);
  expect(sockets.length).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  const [, next] = sockets;
  next?.opens();
  next?.hears(HELLO);
  old?.hears(PING);
  expect(frames.at(-1)).toEqual(PING);
  expect(old?.isDiscarded).toBe(false);
  next?.hears(SYNCED);
  expect(old?.isDiscarded).toBe(true);
  expect(frames.filter(({ type }) => type === "synced").length).toBe(2);
  expect(promoted).toHaveBeenCalledTimes(2);
  const heard = frames.length;
  old?.hears(PING);
  expect(frames.length).toBe(heard);
  expect(statuses.filter(({ status }) => status !== "online")).toEqual([{ status: "connecting" }]);
});

test("frames of a socket that is not in step yet are not mixed into those of the one that is", async () => {
  const { sockets, frames } = await online();
  sockets[0]?.hears({ type: "goaway", retry_after_ms: 1 });
  await vi.advanceTimersByTimeAsync(1);
  sockets[1]?.opens();
  const heard = frames.length;
  sockets[1]?.hears(PING);
  expect(frames.length).toBe(heard);
});

test("if the old socket goes before the new one is in step, the new one goes on", async () => {
  const { sockets, status } = await online();
  sockets[0]?.hears({ type: "goaway", retry_after_ms: 1 });
  await vi.advanceTimersByTimeAsync(1);
  sockets[0]?.closes(3000, "shutdown");
  expect(status()).toEqual({ status: "connecting" });
  if (sockets[1]) greet(sockets[1]);
  expect(status()).toEqual({ status: "online" });
  expect(sockets.length).toBe(2);
});

test("a new socket that fails is tried again while the old one lives", async () => {
  const { sockets, status } = await online();
  sockets[0]?.hears({ type: "goaway", retry_after_ms: 1 });
  await vi.advanceTimersByTimeAsync(1);
  sockets[1]?.closes(1006);
  expect(status()).toEqual({ status: "online" });
  await vi.advanceTimersByTimeAsync(250);
  expect(sockets.length).toBe(3);
});

test("codes up to 3499 reconnect, those from 3500 end", async () => {
  for (const code of [1000, 1006, 3000, 3001, 3004, 3499]) {
    const { last, status } = await online();
    last().closes(code);
    expect([code, status()?.status]).toEqual([code, "reconnecting"]);
  }
  for (const code of [3500, 3503, 3999]) {
    const { last, status, sockets } = await online();
    last().closes(code, "no");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(status()).toEqual({ status: "ended", code, reason: "no" });
    expect(sockets.length).toBe(1);
  }
});

test("a final code is tried again if somebody knows a remedy", async () => {
  const { last, status, sockets } = await online({ mayGoOn: ({ code }) => code === 3500 });
  last().closes(3500);
  expect(status()?.status).toBe("reconnecting");
  await vi.advanceTimersByTimeAsync(250);
  expect(sockets.length).toBe(2);
});

test("without an address it waits as it does without a socket, or ends if that is final", async () => {
  const address = vi.fn(async () => Promise.reject(new Error("no network")));
  const waiting = await connected({ address, failure: { retryAfterMs: 3_000 } });
  expect(waiting.status()).toEqual({ status: "reconnecting", attempt: 1, retryAt: Date.now() + 3_000 });
  await vi.advanceTimersByTimeAsync(3_000);
  expect(address).toHaveBeenCalledTimes(2);
  const end = { code: 3502, reason: "forbidden" };
  const ended = await connected({ address, failure: { retryAfterMs: null, end } });
  expect(ended.status()).toEqual({ status: "ended", ...end });
});

test("after close nothing is dialled, not even by an address that comes late", async () => {
  let give: (address: { url: string; token: string }) => void = () => undefined;
  const address = () => new Promise<{ url: string; token: string }>((resolve) => (give = resolve));
  const { connection, sockets, status } = await connected({ address });
  connection.close();
  give({ url: "ws://chat.test/", token: "t" });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets.length).toBe(0);
  expect(status()).toEqual({ status: "stopped" });
});

test("a socket that speaks something else is given up", async () => {
  const { last, status } = await online();
  last().onmessage?.({ data: "<html>" });
  expect(status()?.status).toBe("reconnecting");
});

test("a frame of a later version is ignored", async () => {
  const { last, status, frames } = await online();
  const heard = frames.length;
  last().onmessage?.({ data: '{"type":"whisper"}' });
  expect([status()?.status, frames.length]).toEqual(["online", heard]);
});
