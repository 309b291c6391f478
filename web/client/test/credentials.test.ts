// Tokens: made once for all tabs, renewed in good time, never thrown away for a clock that is wrong.

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { KnownCredentials, VisitorCredentials } from "../src/credentials.ts";
import { exclusionFor } from "../src/exclusion.ts";
import { Http } from "../src/http.ts";
import { Renewal } from "../src/renewal.ts";
import { memoryStorage, Shelf } from "../src/storage.ts";
import { Browser } from "./browser-tabs.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const LIFE_MS = 100_000;

function claims(sub: string, lifeMs = LIFE_MS): string {
  return tokenOf({ sub, exp: Math.floor((Date.now() + lifeMs) / 1_000) });
}

function tokenOf(payload: object): string {
  return `h.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.s`;
}

/** A server that makes tokens and renews them, or not. */
function tokenServer(renewal: number = 201) {
  let count = 0;
  const calls: string[] = [];
  const fetcher = vi.fn(async (input: string | URL | Request, init?: RequestInit) => {
    const path = new URL(String(input)).pathname;
    calls.push(path);
    await new Promise((resolve) => setTimeout(resolve, 30));
    count += 1;
    const isRenewal = path.endsWith("renew");
    if (isRenewal && renewal !== 201) return Response.json({ error: { code: "not_found" } }, { status: renewal });
    if (isRenewal) expect(new Headers(init?.headers).get("Authorization")).toMatch(/^Bearer /);
    const token = claims(isRenewal ? "same" : `visitor${count}`);
    return Response.json({ token, participant: "p", expires_at: Date.now() + LIFE_MS }, { status: 201 });
  });
  return { http: new Http("http://chat.test", fetcher), calls };
}

async function finished<Result>(work: Promise<Result>): Promise<Result> {
  await vi.advanceTimersByTimeAsync(5_000);
  return work;
}

test.each(["with Web Locks", "without them"])("two tabs that start at once make one visitor, %s", async (how) => {
  const { http, calls } = tokenServer();
  const browser = new Browser();
  const tabs = [browser.tab(), browser.tab()].map((tab) => {
    const shelf = new Shelf(tab.storage, "", () => undefined);
    return new VisitorCredentials(http, shelf, exclusionFor(shelf, how === "with Web Locks" ? tab.locks : undefined));
  });
  const [one, two] = await finished(Promise.all(tabs.map((tab) => tab.current())));
  expect(one).toEqual(two);
  expect(calls).toEqual(["/v1/tokens/anonymous"]);
});

function visitor(renewal?: number) {
  const server = tokenServer(renewal);
  const shelf = new Shelf(memoryStorage(), "", () => undefined);
  return { ...server, credentials: new VisitorCredentials(server.http, shelf, exclusionFor(shelf, undefined)) };
}

test("a visitor's token is renewed after half of its life, not before", async () => {
  const { credentials, calls } = visitor();
  const first = await finished(credentials.current());
  expect(await finished(credentials.renew())).toEqual(first);
  await vi.advanceTimersByTimeAsync((credentials.renewAt() ?? 0) - Date.now());
  const second = await finished(credentials.renew());
  expect(second?.token).not.toBe(first.token);
  expect(await credentials.current()).toMatchObject({ token: second?.token });
  expect(calls).toEqual(["/v1/tokens/anonymous", "/v1/tokens/renew"]);
});

test.each([404, 401, 500])(
  "if renewal is answered %i the token at hand goes on, and it is tried again later",
  async (status) => {
    const { credentials } = visitor(status);
    const first = await finished(credentials.current());
    await vi.advanceTimersByTimeAsync(LIFE_MS / 2);
    expect(await finished(credentials.renew())).toBeNull();
    expect(await credentials.current()).toMatchObject({ token: first.token });
    expect(credentials.renewAt() ?? 0).toBeGreaterThan(Date.now());
  },
);

test("a visitor's token whose end has passed by this clock is still used: the server decides", async () => {
  const { credentials, calls } = visitor();
  const first = await finished(credentials.current());
  await vi.advanceTimersByTimeAsync(LIFE_MS * 10);
  expect(await credentials.current()).toMatchObject({ token: first.token });
  credentials.rejected("another one");
  expect(await credentials.current()).toMatchObject({ token: first.token });
  credentials.rejected(first.token);
  expect((await finished(credentials.current())).token).not.toBe(first.token);
  expect(calls.length).toBe(2);
});

test("a page's token is asked for once, again when it is about to end, and again when it was rejected", async () => {
  const identity = vi.fn(async () => claims(`c${identity.mock.calls.length}`));
  const credentials = new KnownCredentials(identity);
  const [one, two] = await Promise.all([credentials.current(), credentials.current()]);
  expect([one.subject, two.subject, identity.mock.calls.length]).toEqual(["c1", "c1", 1]);
  await vi.advanceTimersByTimeAsync(LIFE_MS * 0.5);
  await credentials.current();
  expect(identity).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(LIFE_MS * 0.4);
  const later = await credentials.current();
  expect(identity).toHaveBeenCalledTimes(2);
  credentials.rejected(later.token);
  await credentials.current();
  expect(identity).toHaveBeenCalledTimes(3);
});

test("a token that cannot be read is used until the server refuses it", async () => {
  const credentials = new KnownCredentials(async () => "opaque");
  expect(await credentials.current()).toMatchObject({ token: "opaque", subject: null });
  expect(credentials.renewAt()).toBeNull();
});

test("a page that gives the same token again has nothing newer", async () => {
  const token = claims("c");
  const credentials = new KnownCredentials(async () => token);
  await credentials.current();
  expect(await credentials.renew()).toBeNull();
});

test("a clock that is ahead does not shorten a token that says when it was made", async () => {
  const serverNow = Date.now() / 1_000 - 600;
  const credentials = new KnownCredentials(async () => tokenOf({ sub: "c", iat: serverNow, exp: serverNow + 300 }));
  await credentials.current();
  expect(credentials.renewAt()).toBe(Date.now() + 240_000);
});

test("newer tokens are at least 30 s apart if only their end is known and seems to be past", async () => {
  const identity = vi.fn(async () => claims(`c${identity.mock.calls.length}`, -LIFE_MS));
  const credentials = new KnownCredentials(identity);
  const renewal = new Renewal(
    credentials,
    () => undefined,
    () => undefined,
  );
  await credentials.current();
  renewal.schedule();
  await vi.advanceTimersByTimeAsync(95_000);
  renewal.stop();
  expect(identity).toHaveBeenCalledTimes(4);
});

test("a renewal that was stopped while it asked sets no timer", async () => {
  let give: (token: string) => void = () => undefined;
  const identity = vi.fn(() => new Promise<string>((resolve) => (give = resolve)));
  const credentials = new KnownCredentials(identity);
  const first = credentials.current();
  give(claims("c"));
  await first;
  const renewed = vi.fn();
  const renewal = new Renewal(credentials, renewed, () => undefined);
  renewal.schedule();
  await vi.advanceTimersByTimeAsync(LIFE_MS);
  renewal.stop();
  give(claims("d"));
  await vi.advanceTimersByTimeAsync(LIFE_MS * 2);
  expect(renewed).not.toHaveBeenCalled();
  expect(identity).toHaveBeenCalledTimes(2);
});

test("a token that comes after its customer was forgotten is not kept", async () => {
  let give: (token: string) => void = () => undefined;
  const identity = vi.fn(() => new Promise<string>((resolve) => (give = resolve)));
  const credentials = new KnownCredentials(identity);
  const first = credentials.current();
  credentials.forget();
  give(claims("c"));
  await first;
  expect(credentials.renewAt()).toBeNull();
});
