// What either side takes for a message of the other.

import { expect, test } from "vitest";
import { readFromFrame, readFromHost } from "../src/messages.ts";

const NONSENSE = [null, undefined, 1, "ready", [], {}, { type: 1 }, { type: "constructor" }, { type: "__proto__" }];

test("what is no message is nothing", () => {
  for (const data of NONSENSE) {
    expect(readFromFrame(data)).toBeNull();
    expect(readFromHost(data)).toBeNull();
  }
});

test("a message is read field by field, and nothing else of it", () => {
  expect(readFromFrame({ type: "unread", count: 2, more: "x" })).toEqual({ type: "unread", count: 2 });
  expect(readFromFrame({ type: "unread", count: "2" })).toBeNull();
  expect(readFromHost({ type: "token", request: 1, token: "t", more: 1 })).toEqual({
    type: "token",
    request: 1,
    token: "t",
  });
  expect(readFromHost({ type: "token", request: 1, token: { toString: () => "t" } })).toMatchObject({ token: null });
  expect(readFromHost({ type: "hello", hostOrigin: 1 })).toBeNull();
});

test("a frame can have only its own names kept", () => {
  for (const key of ["onya.seen", "onya https://chat.example.com visitor"]) {
    expect(readFromFrame({ type: "keep", key, value: "1" })).toEqual({ type: "keep", key, value: "1" });
  }
  for (const key of ["session", "onyax", "Onya.seen", "", 1, null]) {
    expect(readFromFrame({ type: "keep", key, value: "1" })).toBeNull();
  }
  expect(readFromFrame({ type: "keep", key: "onya.seen", value: {} })).toBeNull();
});

test("of what was kept, only strings are handed over", () => {
  const hello = readFromHost({ type: "hello", hostOrigin: "https://a.example", kept: { "onya.a": "1", "onya.b": 2 } });
  expect(hello).toMatchObject({ kept: { "onya.a": "1" }, isKnown: false, isVisible: false });
});
