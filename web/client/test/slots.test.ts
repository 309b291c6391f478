// Unsent commands outlive the tab that had them, and no two tabs take the same.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { BEAT_MS, type Exclusion, exclusionFor, GONE_AFTER_MS } from "../src/exclusion.ts";
import { added, type Outbox } from "../src/outbox.ts";
import { KEPT_FOR_MS, type SavedOutbox, SLOTS, Slots } from "../src/slots.ts";
import { type ChatStorage, memoryStorage, Shelf } from "../src/storage.ts";
import { Browser } from "./browser-tabs.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const items = (id: string): Outbox => added([], { type: "say", client_msg_id: id, text: id }, 1, 0);
const saved = (id: string): SavedOutbox => ({ owner: "p", conversation: "c", items: items(id) });

interface TabUnderTest {
  readonly slots: Slots;
  readonly exclusion: Exclusion;
  crash(): void;
}

function withLocks(): () => TabUnderTest {
  const browser = new Browser();
  return () => {
    const tab = browser.tab();
    const shelf = new Shelf(tab.storage, "", () => undefined);
    const exclusion = exclusionFor(shelf, tab.locks);
    return { slots: new Slots(shelf, exclusion), exclusion, crash: () => tab.crash() };
  };
}

function withoutLocks(): () => TabUnderTest {
  const storage = memoryStorage();
  return () => {
    let isAlive = true;
    const own: ChatStorage = {
      ...storage,
      setItem: (key, value) => isAlive && storage.setItem(key, value),
      removeItem: (key) => isAlive && storage.removeItem(key),
    };
    const shelf = new Shelf(own, "", () => undefined);
    const exclusion = exclusionFor(shelf, undefined);
    const crash = () => {
      isAlive = false;
    };
    return { slots: new Slots(shelf, exclusion), exclusion, crash };
  };
}

/** Lets work that waits for short timers end. */
async function finished<Result>(work: Promise<Result>): Promise<Result> {
  for (let index = 0; index < SLOTS; index += 1) await vi.advanceTimersByTimeAsync(100);
  return work;
}

async function found({ slots }: TabUnderTest): Promise<string[]> {
  const ids: string[] = [];
  await finished(
    slots.adopt((left) => {
      ids.push(...left.items.map(({ id }) => id));
      return true;
    }),
  );
  return ids;
}

describe.each([
  ["with Web Locks", withLocks, 0],
  ["without them", withoutLocks, GONE_AFTER_MS],
] as const)("%s", (_name, setup, goneAfterMs) => {
  test("what a live tab keeps is not taken, what a crashed one kept is, once", async () => {
    const open = setup();
    const [one, two, three] = [open(), open(), open()];
    await finished(one.slots.claim());
    one.slots.save(saved("a"));
    expect(await found(two)).toEqual([]);
    one.crash();
    await vi.advanceTimersByTimeAsync(goneAfterMs);
    expect(await found(two)).toEqual(["a"]);
    expect(await found(three)).toEqual([]);
  });

  test("a tab that lives on for long keeps its slot", async () => {
    const open = setup();
    const [one, two] = [open(), open()];
    await finished(one.slots.claim());
    one.slots.save(saved("a"));
    await vi.advanceTimersByTimeAsync(GONE_AFTER_MS * 3);
    expect(await found(two)).toEqual([]);
  });

  test("what is saved before there is a slot is in it as soon as there is one", async () => {
    const open = setup();
    const [one, two] = [open(), open()];
    one.slots.save(saved("a"));
    await finished(one.slots.claim());
    one.crash();
    await vi.advanceTimersByTimeAsync(goneAfterMs);
    expect(await found(two)).toEqual(["a"]);
  });

  test("tabs have different slots", async () => {
    const open = setup();
    const tabs = [open(), open(), open()];
    await finished(Promise.all(tabs.map(({ slots }) => slots.claim())));
    for (const [index, { slots }] of tabs.entries()) slots.save(saved(`m${index}`));
    for (const tab of tabs) tab.crash();
    await vi.advanceTimersByTimeAsync(goneAfterMs);
    expect((await found(open())).sort()).toEqual(["m0", "m1", "m2"]);
  });

  test("a slot that was let go is adopted at once, and what nobody wants stays", async () => {
    const open = setup();
    const [one, two] = [open(), open()];
    await finished(one.slots.claim());
    one.slots.save(saved("a"));
    one.slots.release();
    await finished(two.slots.adopt(() => false));
    expect(await found(two)).toEqual(["a"]);
  });

  test("what nobody has wanted for a month is thrown away", async () => {
    const open = setup();
    const [one, two] = [open(), open()];
    await finished(one.slots.claim());
    one.slots.save(saved("a"));
    one.slots.release();
    vi.setSystemTime(Date.now() + KEPT_FOR_MS + 1);
    const take = vi.fn(() => false);
    await finished(two.slots.adopt(take));
    expect(take).not.toHaveBeenCalled();
    expect(await found(two)).toEqual([]);
  });

  test("a slot that comes after it was let go is let go at once, and saving claims none", async () => {
    const open = setup();
    const [one, two] = [open(), open()];
    const claimed = one.slots.claim();
    one.slots.release();
    await finished(claimed);
    one.slots.save(saved("a"));
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const hold = await finished(two.exclusion.tryHold(`outbox.${slot}`));
      expect(hold).not.toBeNull();
      hold?.release();
    }
    expect(await found(two)).toEqual([]);
  });

  test("what is left for its owner stays as it was when somebody else writes", async () => {
    const open = setup();
    const [one, two] = [open(), open()];
    await finished(one.slots.claim());
    one.slots.save(saved("a"));
    await finished(one.slots.leave());
    one.slots.save({ ...saved("b"), owner: "q" });
    expect(await found(two)).toEqual(["a"]);
  });

  test("only what is one's own is cleared", async () => {
    const open = setup();
    const [one, two, three] = [open(), open(), open()];
    await finished(one.slots.claim());
    one.slots.save({ ...saved("a"), owner: "q" });
    one.slots.release();
    await finished(two.slots.claim());
    two.slots.save(saved("b"));
    two.slots.clear(({ owner }) => owner === "p");
    two.slots.release();
    expect(await found(three)).toEqual(["a"]);
  });

  test("only one at a time does what must be done once", async () => {
    const open = setup();
    let running = 0;
    const work = async () => {
      running += 1;
      const together = running;
      await new Promise((resolve) => setTimeout(resolve, 50));
      running -= 1;
      return together;
    };
    const runs = [open(), open()].map(({ exclusion }) => exclusion.run("once", work));
    expect(await finished(Promise.all(runs))).toEqual([1, 1]);
  });
});

test("without locks a tab that was frozen for long and lost its slot finds another", async () => {
  const open = withoutLocks();
  const [frozen, other, third] = [open(), open(), open()];
  await finished(frozen.slots.claim());
  frozen.slots.save(saved("a"));
  vi.setSystemTime(Date.now() + GONE_AFTER_MS + BEAT_MS);
  const slow = found(other);
  await slow;
  frozen.slots.save(saved("b"));
  await finished(frozen.slots.claim());
  frozen.crash();
  await vi.advanceTimersByTimeAsync(GONE_AFTER_MS);
  expect(await found(third)).toEqual(["b"]);
});

test("without locks two tabs that do not see each other's mark at once do not both hold a name", async () => {
  const storage = memoryStorage();
  const blindUntil = Date.now() + 20;
  const late: ChatStorage = { ...storage, getItem: (key) => (Date.now() < blindUntil ? null : storage.getItem(key)) };
  const holds = [storage, late].map((view) =>
    exclusionFor(new Shelf(view, "", () => undefined), undefined).tryHold("x"),
  );
  const held = (await finished(Promise.all(holds))).filter((hold) => hold !== null);
  expect(held.length).toBe(1);
});

test("a page that may not use locks does without them", async () => {
  const shelf = new Shelf(memoryStorage(), "", () => undefined);
  const request = () => Promise.reject(new DOMException("not here", "SecurityError"));
  const exclusion = exclusionFor(shelf, { request });
  expect(await finished(exclusion.tryHold("x"))).not.toBeNull();
  expect(await finished(exclusion.run("y", async () => "done"))).toBe("done");
});

test("what fails under a lock fails once", async () => {
  const { exclusion } = withLocks()();
  const work = vi.fn(() => Promise.reject(new Error("no")));
  await expect(exclusion.run("x", work)).rejects.toThrow("no");
  expect(work).toHaveBeenCalledTimes(1);
});

test("a full storage is told, and memory stands in for it", () => {
  const failed = vi.fn();
  const full: ChatStorage = {
    getItem: () => null,
    setItem: () => {
      throw new Error("full");
    },
    removeItem: () => undefined,
  };
  const shelf = new Shelf(full, "", failed);
  shelf.write("a", 1);
  expect(failed).toHaveBeenCalledTimes(1);
  expect(shelf.read("a")).toBe(1);
});
