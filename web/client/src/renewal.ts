// Asks for a newer token in good time.

import type { Credentials } from "./credentials.ts";

const LONGEST_TIMER_MS = 2 ** 31 - 1;
const SHORTEST_TIMER_MS = 1_000;
const SHORTEST_INTERVAL_MS = 30_000;

/** A timer for the token in use. */
export class Renewal {
  readonly #credentials: Credentials;
  readonly #renewed: () => void;
  readonly #failed: (error: unknown) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** How often it was stopped: a renewal that began before sets no timer. */
  #stops = 0;

  /** `renewed` is called when there is a newer token, `failed` when asking for one threw. */
  constructor(credentials: Credentials, renewed: () => void, failed: (error: unknown) => void) {
    this.#credentials = credentials;
    this.#renewed = renewed;
    this.#failed = failed;
  }

  /** Sets the timer for the token at hand. */
  schedule(atLeastMs = SHORTEST_TIMER_MS): void {
    clearTimeout(this.#timer);
    const due = this.#credentials.renewAt();
    if (due === null) return;
    const wait = Math.min(LONGEST_TIMER_MS, Math.max(atLeastMs, due - Date.now()));
    this.#timer = setTimeout(() => void this.#renew(due), wait);
  }

  stop(): void {
    this.#stops += 1;
    clearTimeout(this.#timer);
  }

  async #renew(due: number): Promise<void> {
    // A timer cannot wait longer than 24 days at once.
    if (Date.now() < due) return this.schedule();
    const stops = this.#stops;
    try {
      const fresh = await this.#credentials.renew();
      if (stops !== this.#stops) return;
      if (fresh) this.#renewed();
    } catch (error) {
      if (stops !== this.#stops) return;
      this.#failed(error);
    }
    this.schedule(SHORTEST_INTERVAL_MS);
  }
}
