// Who the customer is, when the site around us knows: a signed token, asked for whenever the kit needs one.

import type { Host } from "./host.ts";

const PATIENCE_MS = 15_000;

/**
 * A source of tokens that asks the page around us. Rejects if it has none, takes longer than 15 s, or says meanwhile that
 * the customer is another one.
 */
export function identityFrom(host: Host): () => Promise<string> {
  const waiting = new Map<number, (token: string | null) => void>();
  let next = 1;
  host.listen((message) => {
    // It comes before any answer for the next customer.
    if (message.type === "identity") for (const settle of [...waiting.values()]) settle(null);
    if (message.type === "token") waiting.get(message.request)?.(message.token);
  });
  return () =>
    new Promise((resolve, reject) => {
      const request = next++;
      const settle = (token: string | null) => {
        clearTimeout(timer);
        waiting.delete(request);
        if (token === null) reject(new Error("the page around this chat gave no token"));
        else resolve(token);
      };
      const timer = setTimeout(() => settle(null), PATIENCE_MS);
      waiting.set(request, settle);
      host.post({ type: "token_wanted", request });
    });
}
