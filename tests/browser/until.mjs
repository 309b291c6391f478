// Waiting for conditions.

import { setTimeout as pause } from "node:timers/promises";

const LIMIT_MS = 30_000;
const ASK_AGAIN_MS = 20;

/** Asks `read()` again until `accept(value)` holds, and returns that value; after the limit it says what was seen last. */
export async function until(what, read, accept) {
  const deadline = Date.now() + LIMIT_MS;
  for (;;) {
    const seen = await read();
    if (accept(seen)) return seen;
    if (Date.now() > deadline)
      throw new Error(`waited in vain for ${what}; seen last: ${JSON.stringify(seen, null, 2)}`);
    await pause(ASK_AGAIN_MS);
  }
}
