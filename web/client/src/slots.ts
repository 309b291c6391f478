// The unsent commands of every tab, where a crash does not reach them.
//
// The storage has a row of slots. A tab holds an empty one for as long as it lives and keeps its outbox there. A slot with
// something in it that nobody holds belonged to a tab that is gone: whoever follows the same conversation adopts it.

import type { Exclusion, Hold } from "./exclusion.ts";
import { isRecord } from "./frames.ts";
import { type Outbox, savedItems } from "./outbox.ts";
import type { Shelf } from "./storage.ts";

/** How many tabs keep their outbox; further ones have it in memory only. */
export const SLOTS = 32;
/** After how long an outbox that nobody has adopted is thrown away. */
export const KEPT_FOR_MS = 30 * 24 * 3_600_000;

/** What a slot holds. */
export interface SavedOutbox {
  /** Whose it is; null if that was not known yet. */
  readonly owner: string | null;
  /** What it was to be said in; null if that was not known yet. */
  readonly conversation: string | null;
  readonly items: Outbox;
}

/** This tab's slot, and a look into those of tabs that are gone. */
export class Slots {
  readonly #shelf: Shelf;
  readonly #exclusion: Exclusion;
  #own: { name: string; hold: Hold } | null = null;
  #claiming: Promise<void> | null = null;
  #latest: SavedOutbox | null = null;
  /** Nobody uses this object at the moment: a slot that comes now is let go at once. */
  #isReleased = false;

  constructor(shelf: Shelf, exclusion: Exclusion) {
    this.#shelf = shelf;
    this.#exclusion = exclusion;
  }

  /** Finds a slot for this tab. Until then, and if there is none, what is saved stays in memory. */
  claim(): Promise<void> {
    this.#isReleased = false;
    return this.#claimed();
  }

  #claimed(): Promise<void> {
    if (this.#isReleased) return Promise.resolve();
    this.#claiming ??= this.#claim().finally(() => {
      this.#claiming = null;
    });
    return this.#claiming;
  }

  /** Keeps an outbox. */
  save(saved: SavedOutbox): void {
    this.#latest = saved;
    if (this.#own?.hold.isHeld()) {
      this.#write(this.#own.name);
    } else {
      this.#own = null;
      if (saved.items.length > 0) void this.#claimed();
    }
  }

  /**
   * Offers `take` what tabs that are gone have left. What it says yes to is its own from then on: it has to `save` it
   * before it returns.
   */
  async adopt(take: (saved: SavedOutbox) => boolean): Promise<void> {
    await this.#claimed();
    if (!this.#own) return;
    for (const name of slotNames()) {
      if (name === this.#own?.name || this.#shelf.read(name) === undefined) continue;
      const hold = await this.#exclusion.tryHold(name);
      if (!hold) continue;
      try {
        // Without a slot of its own, what it takes would be lost with the page.
        if (!this.#own?.hold.isHeld()) return;
        const value = this.#shelf.read(name);
        const saved = savedOutbox(value);
        if (!saved || isOld(value) || take(saved)) this.#shelf.write(name, undefined);
      } finally {
        hold.release();
      }
    }
  }

  /** Lets go of the slot; what is in it stays. */
  release(): void {
    this.#isReleased = true;
    this.#own?.hold.release();
    this.#own = null;
  }

  /** Leaves what is saved for whom it belongs to, and finds an empty slot for somebody else. */
  async leave(): Promise<void> {
    this.release();
    this.#latest = null;
    await this.claim();
  }

  /** Empties this tab's slot and all others whose content `isOurs`. */
  clear(isOurs: (saved: SavedOutbox) => boolean): void {
    this.#latest = null;
    for (const name of slotNames()) {
      const saved = savedOutbox(this.#shelf.read(name));
      if (!saved || name === this.#own?.name || isOurs(saved)) this.#shelf.write(name, undefined);
    }
  }

  async #claim(): Promise<void> {
    if (this.#own?.hold.isHeld()) return;
    for (const name of slotNames()) {
      if (this.#shelf.read(name) !== undefined) continue;
      const hold = await this.#exclusion.tryHold(name);
      if (this.#isReleased) return hold?.release();
      if (hold && this.#shelf.read(name) === undefined) {
        this.#own = { name, hold };
        return this.#write(name);
      }
      hold?.release();
    }
  }

  #write(name: string): void {
    const isEmpty = !this.#latest || this.#latest.items.length === 0;
    this.#shelf.write(name, isEmpty ? undefined : { ...this.#latest, savedAt: Date.now() });
  }
}

function slotNames(): string[] {
  return Array.from({ length: SLOTS }, (_, index) => `outbox.${index}`);
}

function savedOutbox(value: unknown): SavedOutbox | null {
  if (!isRecord(value)) return null;
  const [owner, conversation] = [value.owner, value.conversation].map((id) => (typeof id === "string" ? id : null));
  return { owner: owner ?? null, conversation: conversation ?? null, items: savedItems(value.items) };
}

function isOld(value: unknown): boolean {
  return isRecord(value) && typeof value.savedAt === "number" && Date.now() - value.savedAt > KEPT_FOR_MS;
}
