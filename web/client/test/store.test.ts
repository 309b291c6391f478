// Listeners are told often enough to see everything and seldom enough to draw it.

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Store, TEXT_INTERVAL_MS } from "../src/store.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function counted() {
  let value = 0;
  const store = new Store(() => ({ value }));
  const listener = vi.fn();
  store.subscribe(listener);
  const change = (what?: "all" | "text") => {
    value += 1;
    store.changed(what);
  };
  return { store, listener, change };
}

test("many changes in one go are announced once, after it", async () => {
  const { listener, change } = counted();
  for (let index = 0; index < 1_000; index += 1) change();
  expect(listener).not.toHaveBeenCalled();
  await Promise.resolve();
  expect(listener).toHaveBeenCalledTimes(1);
});

test("a thousand deltas in a second are announced about once per picture, the last one included", async () => {
  const { store, listener, change } = counted();
  for (let index = 0; index < 1_000; index += 1) {
    change("text");
    await vi.advanceTimersByTimeAsync(1);
  }
  await vi.advanceTimersByTimeAsync(TEXT_INTERVAL_MS);
  expect(listener.mock.calls.length).toBeLessThan(70);
  expect(listener.mock.calls.length).toBeGreaterThan(50);
  expect(store.state.value).toBe(1_000);
});

test("anything else does not wait for the next picture", async () => {
  const { listener, change } = counted();
  change("text");
  change("all");
  await Promise.resolve();
  expect(listener).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(TEXT_INTERVAL_MS * 2);
  expect(listener).toHaveBeenCalledTimes(1);
});

test("the state is a new object after a change and the same one otherwise", () => {
  const { store, change } = counted();
  const before = store.state;
  expect(store.state).toBe(before);
  change();
  expect(store.state).not.toBe(before);
});

test("who has unsubscribed hears nothing, even if the other has the same function", async () => {
  const store = new Store(() => 0);
  const listener = vi.fn();
  const end = store.subscribe(listener);
  store.subscribe(listener);
  end();
  store.changed();
  await Promise.resolve();
  expect(listener).toHaveBeenCalledTimes(1);
});

test("a listener that throws is reported and silences nobody", async () => {
  const store = new Store(() => 0);
  const listener = vi.fn();
  store.subscribe(() => {
    throw new Error("the page's fault");
  });
  store.subscribe(listener);
  store.changed();
  await Promise.resolve();
  expect(listener).toHaveBeenCalledTimes(1);
  expect(() => vi.runAllTimers()).toThrow("the page's fault");
});
