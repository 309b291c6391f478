// One socket, from dialling to its end: it hears frames, notices silence and reports its end exactly once.

import { parseFrame } from "./frames.ts";
import type { CustomerFrame, ServerFrame } from "./generated/protocol.ts";

const IN_STEP_TIMEOUT_MS = 10_000;
const OPEN = 1;
/** The end of a socket that nobody closed in words. */
const CUT = 1006;

/** The part of a browser's WebSocket that is used. */
export interface WebSocketLike {
  readonly readyState: number;
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

/** `WebSocket` of a browser or of the package `ws`. */
export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** What a link tells its owner. */
export interface LinkEvents {
  /** The socket is open: the first frame to send. */
  hello(): CustomerFrame;
  frame(link: Link, frame: ServerFrame): void;
  /** It is over; `code` is 1006 if it was cut or fell silent. Told once, never after `discard`. */
  ended(link: Link, code: number, reason: string): void;
}

/** A socket. */
export class Link {
  readonly #socket: WebSocketLike;
  readonly #events: LinkEvents;
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  #silenceMs = IN_STEP_TIMEOUT_MS;
  #pongTimeoutMs = IN_STEP_TIMEOUT_MS;
  #isProbing = false;
  #isOver = false;
  #heardAt = Date.now();

  constructor(webSocket: WebSocketConstructor, url: string, events: LinkEvents) {
    this.#events = events;
    const socket = new webSocket(url);
    this.#socket = socket;
    socket.onopen = () => socket.send(JSON.stringify(events.hello()));
    socket.onmessage = ({ data }: { data: unknown }) => this.#received(data);
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => this.#end(code, reason);
    // The close that follows says everything there is to know.
    socket.onerror = () => undefined;
    this.#watch(this.#silenceMs);
  }

  /** Sends a frame; false if the socket is not open. */
  send(frame: CustomerFrame): boolean {
    if (this.#isOver || this.#socket.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** For how long nothing was heard, in ms. */
  get silentForMs(): number {
    return Date.now() - this.#heardAt;
  }

  /** Asks for a sign of life; without one within `timeoutMs` the socket is given up. */
  probe(timeoutMs = this.#pongTimeoutMs): void {
    if (this.#isProbing || !this.send({ type: "ping" })) return;
    this.#isProbing = true;
    this.#watch(Math.min(timeoutMs, this.#pongTimeoutMs));
  }

  /** Closes the socket without hearing of it again: the end of a dead network can take minutes. */
  discard(): void {
    this.#isOver = true;
    clearTimeout(this.#watchdog);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(1000);
  }

  #received(data: unknown): void {
    if (this.#isOver || typeof data !== "string") return;
    this.#heardAt = Date.now();
    this.#isProbing = false;
    const frame = this.#parsed(data);
    if (frame?.type === "hello") {
      this.#pongTimeoutMs = frame.pong_timeout_ms;
      this.#silenceMs = frame.ping_interval_ms + frame.pong_timeout_ms;
    }
    if (this.#isOver) return;
    this.#watch(this.#silenceMs);
    if (frame?.type === "ping") this.send({ type: "pong" });
    if (frame) this.#events.frame(this, frame);
  }

  #parsed(data: string): ServerFrame | null {
    try {
      return parseFrame(data);
    } catch {
      this.#end(CUT, "what came was no frame");
      return null;
    }
  }

  #watch(ms: number): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#end(CUT, "nothing was heard any more"), ms);
  }

  #end(code: number, reason: string): void {
    if (this.#isOver) return;
    this.discard();
    this.#events.ended(this, code, reason);
  }
}
