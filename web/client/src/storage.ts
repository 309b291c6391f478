// Where a token, the conversation's identifier and what is unsent outlive the page.

/** A place for strings by name, shared by all tabs. `localStorage` is one. */
export interface ChatStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A storage that ends with the page. */
export function memoryStorage(): ChatStorage {
  const values = new Map<string, string>();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  };
}

/** The browser's storage, or memory where there is none or the page may not use it. */
export function defaultStorage(): ChatStorage {
  try {
    const storage = globalThis.localStorage;
    const probe = "onya.probe";
    storage.setItem(probe, "1");
    storage.removeItem(probe);
    return storage;
  } catch {
    return memoryStorage();
  }
}

/** One server's part of a storage, holding JSON. A write that fails is told to `onFailure` and goes to memory. */
export class Shelf {
  readonly #storage: ChatStorage;
  readonly #prefix: string;
  readonly #onFailure: (error: unknown) => void;
  readonly #unstored = memoryStorage();

  constructor(storage: ChatStorage, prefix: string, onFailure: (error: unknown) => void) {
    this.#storage = storage;
    this.#prefix = prefix;
    this.#onFailure = onFailure;
  }

  /** The value, or undefined if there is none or it is damaged. */
  read(name: string): unknown {
    const key = this.#prefix + name;
    try {
      const text = this.#unstored.getItem(key) ?? this.#storage.getItem(key);
      return text === null ? undefined : JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  /** Writes a value; `undefined` removes it. */
  write(name: string, value: unknown): void {
    const key = this.#prefix + name;
    this.#unstored.removeItem(key);
    try {
      if (value === undefined) this.#storage.removeItem(key);
      else this.#storage.setItem(key, JSON.stringify(value));
    } catch (error) {
      if (value !== undefined) this.#unstored.setItem(key, JSON.stringify(value));
      this.#onFailure(error);
    }
  }

  /** The name that other tabs know a value by. */
  fullName(name: string): string {
    return this.#prefix + name;
  }
}
