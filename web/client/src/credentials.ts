// Tokens: a visitor's, which this kit makes and renews by itself, or a known customer's, which the page brings.
//
// The server decides whether a token is good. A clock that is wrong must never make a visitor throw away the only key to
// the conversation: the times here only say when it is worth asking for a newer one.

import type { Exclusion } from "./exclusion.ts";
import { isRecord } from "./frames.ts";
import type { Http, VisitorToken } from "./http.ts";
import type { Shelf } from "./storage.ts";

const TOKEN = "token";
/** A page's token is asked for again this long before its end, or after this part of its life. */
const MARGIN_MS = 60_000;
const MARGIN_PART = 0.2;
/** Between two newer tokens: a clock that is wrong must not make this ask again and again. */
const SHORTEST_WAIT_MS = 30_000;
/** The same for a token that says itself that its life is shorter: its issuer wants it so. */
const SHORTEST_LIFE_MS = 1_000;

/** A token and what is known of it. */
export interface Credential {
  readonly token: string;
  /** Whom it is for, as it says itself; null if that cannot be read. */
  readonly subject: string | null;
}

/** Where tokens come from. */
export interface Credentials {
  /** One that is good as far as is known; made or asked for if there is none. */
  current(): Promise<Credential>;
  /** The server did not accept it: it is not used again. */
  rejected(token: string): void;
  /** When it is worth asking for a newer one, in ms since 1970; null if that is not known. */
  renewAt(): number | null;
  /** Tries to get a newer one; the one at hand stays good if that fails. */
  renew(): Promise<Credential | null>;
  /** Forgets whom it is about. */
  forget(): void;
}

interface HeldToken extends Credential {
  readonly obtainedAt: number;
  readonly expiresAt: number | null;
}

/** An anonymous visitor, the same in all tabs. */
export class VisitorCredentials implements Credentials {
  readonly #http: Http;
  readonly #shelf: Shelf;
  readonly #exclusion: Exclusion;
  #triedAt = 0;

  constructor(http: Http, shelf: Shelf, exclusion: Exclusion) {
    this.#http = http;
    this.#shelf = shelf;
    this.#exclusion = exclusion;
  }

  async current(): Promise<Credential> {
    return this.#held() ?? this.#exclusion.run(TOKEN, async () => this.#held() ?? (await this.#made()));
  }

  rejected(token: string): void {
    if (this.#held()?.token === token) this.#shelf.write(TOKEN, undefined);
  }

  renewAt(): number | null {
    const held = this.#held();
    if (!held?.expiresAt) return null;
    // Half of its life; after an attempt that failed, half of what is left of it.
    const from = Math.max(held.obtainedAt, this.#triedAt);
    return from + Math.max(SHORTEST_WAIT_MS, (held.expiresAt - from) / 2);
  }

  async renew(): Promise<Credential | null> {
    return this.#exclusion.run(TOKEN, async () => {
      const held = this.#held();
      // Another tab may have been faster.
      if (!held || Date.now() < (this.renewAt() ?? Number.POSITIVE_INFINITY)) return held;
      this.#triedAt = Date.now();
      try {
        const fresh = await this.#http.renewedVisitor(held.token);
        // Meanwhile the visitor may have been forgotten.
        return this.#held()?.token === held.token ? this.#keep(fresh) : null;
      } catch {
        // The token at hand stays good, and this is tried again; a server without renewal answers 404.
        return null;
      }
    });
  }

  forget(): void {
    this.#shelf.write(TOKEN, undefined);
  }

  async #made(): Promise<Credential> {
    const fresh = await this.#http.newVisitor();
    const before = this.#held();
    return before ?? this.#keep(fresh);
  }

  #keep({ token, participant, expiresAt }: VisitorToken): Credential {
    const held = {
      token,
      subject: participant,
      expiresAt: endOf(claimsOf(token)) ?? expiresAt,
      obtainedAt: Date.now(),
    };
    this.#shelf.write(TOKEN, held);
    return this.#held() ?? held;
  }

  #held(): HeldToken | null {
    const value = this.#shelf.read(TOKEN);
    if (!isRecord(value) || typeof value.token !== "string") return null;
    const { token, subject, expiresAt, obtainedAt } = value;
    return {
      token,
      subject: typeof subject === "string" ? subject : null,
      expiresAt: typeof expiresAt === "number" ? expiresAt : null,
      obtainedAt: typeof obtainedAt === "number" ? obtainedAt : 0,
    };
  }
}

/** A customer whom the page knows. Nothing of it is stored. */
export class KnownCredentials implements Credentials {
  readonly #identity: () => Promise<string>;
  #held: (HeldToken & { readonly isLifeKnown: boolean }) | null = null;
  #asking: Promise<Credential> | null = null;
  /** How often it was forgotten: an answer from before is not kept. */
  #forgotten = 0;

  constructor(identity: () => Promise<string>) {
    this.#identity = identity;
  }

  async current(): Promise<Credential> {
    const isEnding = Date.now() >= (this.renewAt() ?? Number.POSITIVE_INFINITY);
    return this.#held && !isEnding ? this.#held : this.#ask();
  }

  rejected(token: string): void {
    if (this.#held?.token === token) this.#held = null;
  }

  renewAt(): number | null {
    if (!this.#held?.expiresAt) return null;
    const { obtainedAt, expiresAt, isLifeKnown } = this.#held;
    const margin = Math.min(MARGIN_MS, (expiresAt - obtainedAt) * MARGIN_PART);
    const wait = isLifeKnown ? SHORTEST_LIFE_MS : SHORTEST_WAIT_MS;
    return Math.max(obtainedAt + wait, expiresAt - margin);
  }

  async renew(): Promise<Credential | null> {
    const before = this.#held?.token;
    const fresh = await this.#ask();
    return fresh.token === before ? null : fresh;
  }

  forget(): void {
    this.#held = this.#asking = null;
    this.#forgotten += 1;
  }

  #ask(): Promise<Credential> {
    if (this.#asking) return this.#asking;
    const asking = this.#asked().finally(() => {
      if (this.#asking === asking) this.#asking = null;
    });
    this.#asking = asking;
    return asking;
  }

  async #asked(): Promise<Credential> {
    const forgotten = this.#forgotten;
    const token = await this.#identity();
    const claims = claimsOf(token);
    const obtainedAt = Date.now();
    // A token that was given before has not become younger.
    const expiresAt = this.#held?.token === token ? this.#held.expiresAt : endOf(claims);
    const isLifeKnown = typeof claims.iat === "number";
    const held = { token, subject: subjectOf(claims), expiresAt, obtainedAt, isLifeKnown };
    if (forgotten === this.#forgotten) this.#held = held;
    return held;
  }
}

/** When a token that has just come ends, by this clock: its life counts from now if the token says how long it is. */
function endOf({ iat, exp }: Record<string, unknown>): number | null {
  if (typeof exp !== "number") return null;
  return typeof iat === "number" ? Date.now() + (exp - iat) * 1_000 : exp * 1_000;
}

function subjectOf({ sub }: Record<string, unknown>): string | null {
  return typeof sub === "string" ? sub : null;
}

function claimsOf(token: string): Record<string, unknown> {
  try {
    const payload = token.split(".")[1] ?? "";
    const claims: unknown = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    return isRecord(claims) ? claims : {};
  } catch {
    return {};
  }
}
