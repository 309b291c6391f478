// A WebSocket whose other end is the test.

import type { CustomerFrame, ServerFrame } from "../src/generated/protocol.ts";
import type { WebSocketConstructor } from "../src/link.ts";

const OPEN = 1;
const CLOSED = 3;

export class FakeSocket {
  readyState = 0;
  onopen: (() => unknown) | null = null;
  onmessage: ((event: { data: unknown }) => unknown) | null = null;
  onclose: ((event: { code: number; reason: string }) => unknown) | null = null;
  onerror: (() => unknown) | null = null;
  readonly sent: CustomerFrame[] = [];
  readonly url: string;
  isDiscarded = false;

  constructor(url: string) {
    this.url = url;
  }

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }

  close(): void {
    this.readyState = CLOSED;
    this.isDiscarded = true;
  }

  opens(): void {
    this.readyState = OPEN;
    this.onopen?.();
  }

  hears(frame: ServerFrame): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  closes(code: number, reason = ""): void {
    this.readyState = CLOSED;
    this.onclose?.({ code, reason });
  }
}

/** A constructor that keeps what it makes. */
export function fakeSockets(): { sockets: FakeSocket[]; webSocket: WebSocketConstructor; last(): FakeSocket } {
  const sockets: FakeSocket[] = [];
  const webSocket = class extends FakeSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  };
  const last = () => {
    const socket = sockets.at(-1);
    if (!socket) throw new Error("nothing was dialled");
    return socket;
  };
  return { sockets, webSocket, last };
}
