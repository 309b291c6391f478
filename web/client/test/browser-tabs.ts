// What the tabs of one browser share: a storage and locks. A tab that crashes loses its locks and writes nothing more.

import type { LockRequests } from "../src/exclusion.ts";
import { type ChatStorage, memoryStorage } from "../src/storage.ts";

/** One browser with one profile. */
export class Browser {
  readonly storage = memoryStorage();
  readonly #holders = new Map<string, BrowserTab>();
  #waiting: { name: string; tab: BrowserTab; go: () => void }[] = [];

  tab(): BrowserTab {
    return new BrowserTab(this);
  }

  /** Takes a lock, if it is free. */
  take(name: string, tab: BrowserTab): boolean {
    if (this.#holders.has(name)) return false;
    this.#holders.set(name, tab);
    return true;
  }

  /** Takes a lock as soon as it is free. */
  wait(name: string, tab: BrowserTab): Promise<void> {
    if (this.take(name, tab)) return Promise.resolve();
    return new Promise((go) => this.#waiting.push({ name, tab, go }));
  }

  letGo(name: string, tab: BrowserTab): void {
    if (this.#holders.get(name) !== tab) return;
    this.#holders.delete(name);
    const next = this.#waiting.find((waiting) => waiting.name === name && waiting.tab.isAlive);
    if (!next) return;
    this.#waiting = this.#waiting.filter((waiting) => waiting !== next);
    this.#holders.set(name, next.tab);
    next.go();
  }

  letAllGo(tab: BrowserTab): void {
    for (const [name, holder] of [...this.#holders]) if (holder === tab) this.letGo(name, tab);
  }
}

/** What a page in one tab is given. */
export class BrowserTab {
  isAlive = true;
  readonly storage: ChatStorage;
  readonly locks: LockRequests;
  readonly #browser: Browser;

  constructor(browser: Browser) {
    this.#browser = browser;
    this.storage = {
      getItem: (key) => browser.storage.getItem(key),
      setItem: (key, value) => this.isAlive && browser.storage.setItem(key, value),
      removeItem: (key) => this.isAlive && browser.storage.removeItem(key),
    };
    this.locks = {
      request: async (name, options, callback) => {
        if (options.ifAvailable && !browser.take(name, this)) return callback(null);
        if (!options.ifAvailable) await browser.wait(name, this);
        try {
          return await callback({ name });
        } finally {
          browser.letGo(name, this);
        }
      },
    };
  }

  /** The tab is gone, without a word. */
  crash(): void {
    this.isAlive = false;
    this.#browser.letAllGo(this);
  }
}
