// One logical connection: a socket that is replaced whenever it has to be.
//
// It connects again with growing, jittered pauses, never before a time that the server has named. After `goaway`, and for a
// new token, the new socket is opened first and the old one closed once the new one is in step, so that nothing is missed
// between. What frames mean is not its business.

import type { FrameOf } from "./frames.ts";
import type { CustomerFrame, ServerFrame } from "./generated/protocol.ts";
import { Link, type WebSocketConstructor } from "./link.ts";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;
const STABLE_AFTER_MS = 5_000;
const QUIET_MS = 5_000;
const OFFLINE_PROBE_MS = 2_000;
const WAKE_PROBE_MS = 3_000;
const FINAL_FROM = 3_500;
const FINAL_TO = 3_999;
const TOKEN_EXPIRED = 3_002;

/** What stands between here and the server. */
export type LinkStatus =
  | { readonly status: "connecting" }
  | { readonly status: "online" }
  | { readonly status: "stopped" }
  | { readonly status: "reconnecting"; readonly attempt: number; readonly retryAt: number }
  | { readonly status: "ended"; readonly code: number; readonly reason: string };

/** Where to connect. */
export interface Address {
  readonly url: string;
  readonly token: string;
}

/** The end of a socket. `isFinal`: the same attempt would fail again. */
export interface LinkEnd {
  readonly code: number;
  readonly reason: string;
  readonly isFinal: boolean;
  readonly token: string;
}

/** Why no address could be had. `end`: it is no use trying again. */
export interface AddressFailure {
  readonly retryAfterMs: number | null;
  readonly end?: { readonly code: number; readonly reason: string };
}

/** The connection's surroundings. */
export interface ConnectionEvents {
  /** Where to connect now; what it throws goes to `addressFailed`. */
  address(): Promise<Address>;
  addressFailed(error: unknown): AddressFailure;
  hello(token: string): CustomerFrame;
  /** A new socket takes over; `frame` is told next. */
  promoted(): void;
  frame(frame: ServerFrame): void;
  /** Returns true if another attempt may help although the end was final or the token had expired. */
  closed(end: LinkEnd): boolean;
  status(status: LinkStatus): void;
}

interface Tie {
  readonly link: Link;
  readonly token: string;
  inStepAt: number;
}

/** A connection; it does nothing before `open`. */
export class Connection {
  readonly #events: ConnectionEvents;
  readonly #webSocket: WebSocketConstructor;
  readonly #random: () => number;
  #current: Tie | null = null;
  #candidate: Tie | null = null;
  /** Counts up with every attempt and stop: an answer that belongs to an older one is dropped. */
  #attempt = 0;
  #isAddressing = false;
  #failures = 0;
  #notBefore = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isOpen = false;

  constructor(events: ConnectionEvents, webSocket: WebSocketConstructor, random: () => number) {
    this.#events = events;
    this.#webSocket = webSocket;
    this.#random = random;
  }

  /** Connects, and stays connected until `close`. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#failures = 0;
    this.#events.status({ status: "connecting" });
    void this.#dial();
  }

  /** Closes the socket and stays away. */
  close(status: LinkStatus = { status: "stopped" }): void {
    this.#isOpen = false;
    this.#attempt += 1;
    this.#isAddressing = false;
    this.#unschedule();
    this.#current?.link.discard();
    this.#candidate?.link.discard();
    this.#current = this.#candidate = null;
    this.#events.status(status);
  }

  /** Whether a socket is in step. */
  get isOnline(): boolean {
    return this.#current !== null;
  }

  /** Sends a frame on the socket in step; false if there is none. After a silence it asks for a sign of life as well. */
  send(frame: CustomerFrame): boolean {
    const link = this.#current?.link;
    if (!link?.send(frame)) return false;
    if (link.silentForMs > QUIET_MS) link.probe();
    return true;
  }

  /** The network may be back, or somebody looks again: connects at once if it waits, makes sure otherwise. */
  hurry(): void {
    this.#current?.link.probe(WAKE_PROBE_MS);
    if (this.#timer === null || Date.now() < this.#notBefore) return;
    this.#unschedule();
    void this.#dial();
  }

  /** The network is said to be gone: makes sure soon. */
  doubt(): void {
    this.#current?.link.probe(OFFLINE_PROBE_MS);
  }

  /** Opens a new socket, then closes the one in use. */
  replace(): void {
    if (this.#isOpen && this.#current && !this.#candidate && !this.#isAddressing) this.#schedule(0);
  }

  /** Drops the socket in use while its successor is being looked for: it belongs to something that is over. */
  leave(): void {
    if (!this.#current) return;
    this.#current.link.discard();
    this.#current = null;
    this.#events.status({ status: "connecting" });
  }

  /** Drops what there is and connects again, at once or after a pause. */
  restart(afterMs: number | null = null): void {
    if (!this.#isOpen) return;
    this.#attempt += 1;
    this.#isAddressing = false;
    this.#candidate?.link.discard();
    this.#current?.link.discard();
    this.#candidate = this.#current = null;
    if (afterMs === null) {
      this.#retry();
    } else {
      this.#schedule(afterMs);
      this.#events.status({ status: "connecting" });
    }
  }

  async #dial(): Promise<void> {
    if (this.#candidate || this.#isAddressing) return;
    this.#isAddressing = true;
    this.#attempt += 1;
    const attempt = this.#attempt;
    try {
      const { url, token } = await this.#events.address();
      if (attempt === this.#attempt) this.#candidate = this.#tie(url, token);
    } catch (error) {
      if (attempt === this.#attempt) this.#noAddress(this.#events.addressFailed(error));
    } finally {
      if (attempt === this.#attempt) this.#isAddressing = false;
    }
  }

  #tie(url: string, token: string): Tie {
    const link = new Link(this.#webSocket, url, {
      hello: () => this.#events.hello(token),
      frame: (from, frame) => this.#received(from, frame),
      ended: (from, code, reason) => this.#ended(from, code, reason),
    });
    return { link, token, inStepAt: 0 };
  }

  #noAddress({ retryAfterMs, end }: AddressFailure): void {
    this.#isAddressing = false;
    if (end && !this.#current) {
      this.close({ status: "ended", ...end });
    } else {
      this.#waitAtLeast(retryAfterMs);
      this.#retry();
    }
  }

  #received(link: Link, frame: ServerFrame): void {
    if (frame.type === "goaway") {
      this.#goaway(link, frame);
      return;
    }
    if (frame.type === "refused" && !frame.client_msg_id) this.#waitAtLeast(frame.retry_after_ms ?? null);
    if (link === this.#candidate?.link && frame.type === "synced") this.#promote(this.#candidate);
    const isWanted = link === this.#current?.link || frame.type === "hello" || frame.type === "refused";
    if (isWanted) this.#events.frame(frame);
  }

  #promote(tie: Tie): void {
    this.#current?.link.discard();
    this.#current = tie;
    this.#candidate = null;
    tie.inStepAt = Date.now();
    this.#unschedule();
    this.#events.promoted();
    this.#events.status({ status: "online" });
  }

  #goaway(link: Link, { retry_after_ms: pause }: FrameOf<"goaway">): void {
    this.#waitAtLeast(pause);
    if (link === this.#current?.link && !this.#candidate) this.#schedule(pause);
  }

  #ended(link: Link, code: number, reason: string): void {
    const tie = [this.#current, this.#candidate].find((candidate) => candidate?.link === link);
    if (!tie) return;
    if (tie === this.#current && Date.now() - tie.inStepAt >= STABLE_AFTER_MS) this.#failures = 0;
    if (tie === this.#current) this.#current = null;
    else this.#candidate = null;
    const isFinal = code >= FINAL_FROM && code <= FINAL_TO;
    const mayGoOn = this.#events.closed({ code, reason, isFinal, token: tie.token });
    if ((isFinal || code === TOKEN_EXPIRED) && !mayGoOn && !this.#current) {
      this.close({ status: "ended", code, reason });
    }
    if (!this.#isOpen) return;
    if (!this.#candidate) this.#retry();
    else if (!this.#current) this.#events.status({ status: "connecting" });
  }

  #retry(): void {
    const ceiling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#schedule(Math.max(this.#notBefore - Date.now(), ceiling * (0.5 + this.#random() / 2)));
  }

  #schedule(ms: number): void {
    this.#unschedule();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#dial();
    }, ms);
    if (this.#current) return;
    this.#events.status({ status: "reconnecting", attempt: this.#failures, retryAt: Date.now() + ms });
  }

  #unschedule(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #waitAtLeast(ms: number | null): void {
    if (ms) this.#notBefore = Math.max(this.#notBefore, Date.now() + ms);
  }
}
