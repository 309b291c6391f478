// Where the frame keeps its few keys: its own storage, which browsers partition by the page around it; where even that is
// blocked, the page around it keeps them; and without that, the memory.

import type { ChatStorage } from "@onya/client";
import type { Host } from "./host.ts";

const PROBE = "onya.probe";

/** The frame's own storage, `null` if the browser blocks it. */
export function ownStorage(): ChatStorage | null {
  try {
    localStorage.setItem(PROBE, PROBE);
    localStorage.removeItem(PROBE);
    return localStorage;
  } catch {
    return null;
  }
}

/** Begins with what the page around us had kept, and tells it each change. */
export function hostStorage(host: Host): ChatStorage {
  const kept = new Map(Object.entries(host.hello.kept));
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => {
      kept.set(key, value);
      host.post({ type: "keep", key, value });
    },
    removeItem: (key) => {
      kept.delete(key);
      host.post({ type: "keep", key, value: null });
    },
  };
}
