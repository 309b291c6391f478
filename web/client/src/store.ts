// An observable value that is worked out when somebody looks, and announced seldom enough to be drawn each time.

/** How often text that streams in is announced at most: about once per picture. */
export const TEXT_INTERVAL_MS = 16;

/** A value derived from something that changes. */
export class Store<State> {
  readonly #derive: () => State;
  readonly #listeners = new Set<() => void>();
  #state: State | undefined;
  #isStale = true;
  #isSoon = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(derive: () => State) {
    this.#derive = derive;
  }

  /** The value now. The same object until `changed` is called. */
  get state(): State {
    if (this.#isStale || this.#state === undefined) {
      this.#isStale = false;
      this.#state = this.#derive();
    }
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    // A name of its own: the same function may be subscribed twice.
    const own = () => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Something has changed: announced after the current work, or within 16 ms if it is just more text of a reply. */
  changed(what: "all" | "text" = "all"): void {
    this.#isStale = true;
    if (what === "all" && !this.#isSoon) {
      this.#isSoon = true;
      queueMicrotask(() => this.#announce());
    }
    if (what === "text" && !this.#isSoon) this.#timer ??= setTimeout(() => this.#announce(), TEXT_INTERVAL_MS);
  }

  #announce(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isSoon = false;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        // It is the page's fault, and shown as one, but the others have to hear as well.
        setTimeout(() => {
          throw error;
        });
      }
    }
  }
}
