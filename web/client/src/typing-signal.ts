// Tells others that somebody writes: seldom while it goes on, and once at its end.

const REPEAT_MS = 3_000;

/** Turns a call at every key into a frame every 3 s. */
export class TypingSignal {
  readonly #send: (active: boolean) => void;
  #sentAt = 0;

  constructor(send: (active: boolean) => void) {
    this.#send = send;
  }

  /** Somebody writes, or has stopped. */
  set(active: boolean): void {
    const isDue = active ? Date.now() - this.#sentAt >= REPEAT_MS : this.#sentAt > 0;
    if (!isDue) return;
    this.#sentAt = active ? Date.now() : 0;
    this.#send(active);
  }

  /** The message was sent: the others see that by itself. */
  end(): void {
    this.#sentAt = 0;
  }
}
