// What the site's own storage keeps for the widget: whether there is a conversation to wait for, and, where the browser
// blocks the storage of frames, the frame's few keys.

import { isKeptName } from "./messages.ts";

const ACTIVE = "onya.widget.active";
const LONGEST_VALUE = 262_144;

/** Everything kept for the frame; empty if the storage cannot be read. */
export function readKept(): Record<string, string> {
  const kept: Record<string, string> = {};
  attempt(() => {
    for (const key of Object.keys(localStorage)) {
      const value = isKeptName(key) ? localStorage.getItem(key) : null;
      if (value !== null) kept[key] = value;
    }
  });
  return kept;
}

/** Keeps one value of the frame, or drops it. Nothing outside of its prefix is touched. */
export function keep(key: string, value: string | null): void {
  if (!isKeptName(key) || (value?.length ?? 0) > LONGEST_VALUE) return;
  attempt(() => (value === null ? localStorage.removeItem(key) : localStorage.setItem(key, value)));
}

/** Whether a conversation was going on when the customer was last here. */
export function wasActive(): boolean {
  let active = false;
  attempt(() => {
    active = localStorage.getItem(ACTIVE) !== null;
  });
  return active;
}

/** Remembers it for the next page. */
export function setActive(active: boolean): void {
  keep(ACTIVE, active ? "1" : null);
}

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // Blocked or full: the widget works without it.
  }
}
