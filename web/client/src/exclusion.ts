// "Only one tab at a time": Web Locks where there are, otherwise names in the shared storage with a sign of life.
//
// The substitute is weaker: two tabs that start in the same instant may both believe that they hold a name for a moment.
// Nothing relies on it for correctness, since the server recognises a repeated command by its name.

import { isRecord } from "./frames.ts";
import { newIdentifier } from "./identifier.ts";
import type { Shelf } from "./storage.ts";

/** How often a holder shows that it lives, where there are no Web Locks. */
export const BEAT_MS = 10_000;
/** After how long without a sign of life a holder counts as gone: browsers wake a hidden page once a minute. */
export const GONE_AFTER_MS = 90_000;
const SETTLE_MS = 40;
const WAIT_FOR_HOLDER_MS = 3_000;

/** The part of a browser's `navigator.locks` that is used. */
export interface LockRequests {
  request<Result>(
    name: string,
    options: { ifAvailable?: boolean },
    callback: (lock: object | null) => Promise<Result>,
  ): Promise<Result>;
}

/** A name that this tab holds. */
export interface Hold {
  /** Whether it is still this tab's: a page that was frozen for long may have lost it. */
  isHeld(): boolean;
  release(): void;
}

/** How tabs keep out of each other's way. */
export interface Exclusion {
  /** Holds a name until it is released; null if another tab has it. */
  tryHold(name: string): Promise<Hold | null>;
  /** Runs while no other tab runs something under this name. */
  run<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
}

/** The best that this environment offers. */
export function exclusionFor(shelf: Shelf, locks: LockRequests | undefined): Exclusion {
  return locks ? new LockExclusion(shelf, locks) : new BeatExclusion(shelf);
}

class LockExclusion implements Exclusion {
  readonly #shelf: Shelf;
  readonly #locks: LockRequests;
  /** A page in a frame may be forbidden to use locks, which shows only when it tries. */
  readonly #substitute: Exclusion;

  constructor(shelf: Shelf, locks: LockRequests) {
    this.#shelf = shelf;
    this.#locks = locks;
    this.#substitute = new BeatExclusion(shelf);
  }

  tryHold(name: string): Promise<Hold | null> {
    return new Promise((resolve, reject) => {
      const held = async (lock: object | null): Promise<void> => {
        if (!lock) return resolve(null);
        return new Promise((end) => {
          let isHeld = true;
          const release = () => {
            isHeld = false;
            end();
          };
          resolve({ isHeld: () => isHeld, release });
        });
      };
      const instead = () => this.#substitute.tryHold(name).then(resolve, reject);
      this.#locks.request(this.#shelf.fullName(name), { ifAvailable: true }, held).catch(instead);
    });
  }

  async run<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    let hasBegun = false;
    const begun = () => {
      hasBegun = true;
      return work();
    };
    try {
      return await this.#locks.request(this.#shelf.fullName(name), {}, begun);
    } catch (error) {
      if (hasBegun) throw error;
      return this.#substitute.run(name, work);
    }
  }
}

class BeatExclusion implements Exclusion {
  readonly #shelf: Shelf;
  readonly #me = newIdentifier();

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
  }

  async tryHold(name: string): Promise<Hold | null> {
    const key = `${name}.holder`;
    if (this.#isTaken(key)) return null;
    const mark = `${this.#me} ${newIdentifier()}`;
    const beat = () => this.#shelf.write(key, { holder: mark, at: Date.now() });
    const isHeld = () => this.#holder(key)?.holder === mark;
    beat();
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    if (!isHeld()) return null;
    const timer = setInterval(() => (isHeld() ? beat() : clearInterval(timer)), BEAT_MS);
    const release = () => {
      clearInterval(timer);
      removeFarewell(release);
      if (isHeld()) this.#shelf.write(key, undefined);
    };
    addFarewell(release);
    return { isHeld, release };
  }

  async run<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const giveUpAt = Date.now() + WAIT_FOR_HOLDER_MS;
    let hold = await this.tryHold(name);
    while (!hold && Date.now() < giveUpAt) {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      hold = await this.tryHold(name);
    }
    try {
      return await work();
    } finally {
      hold?.release();
    }
  }

  #isTaken(key: string): boolean {
    const holder = this.#holder(key);
    return holder !== null && Date.now() - holder.at < GONE_AFTER_MS;
  }

  #holder(key: string): { holder: string; at: number } | null {
    const value = this.#shelf.read(key);
    if (!isRecord(value) || typeof value.holder !== "string" || typeof value.at !== "number") return null;
    return { holder: value.holder, at: value.at };
  }
}

// A page that is left lets go at once, so that the next one finds what it wrote.
function addFarewell(release: () => void): void {
  globalThis.addEventListener?.("pagehide", release);
}

function removeFarewell(release: () => void): void {
  globalThis.removeEventListener?.("pagehide", release);
}
