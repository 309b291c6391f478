// A network between clients and a server that cuts, delays and doubles.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type RawData, WebSocket, WebSocketServer } from "ws";

import type { ServerFrame } from "../../src/index.ts";
import { portOf } from "./onya.ts";

/** How bad the network is: chances from 0 to 1 for each frame, and the longest delay in ms. */
export interface Faults {
  readonly cut: number;
  readonly double: number;
  readonly replay: number;
  readonly delayMs: number;
}

export const NO_FAULTS: Faults = { cut: 0, double: 0, replay: 0, delayMs: 0 };
/** Frames that may come again at any later time: a reader must recognise them. */
const REPLAYABLE = new Set(["entry", "delta", "ack"]);

/** A WebSocket proxy; HTTP goes past it by `fetch`. */
export class BadNetwork {
  faults = NO_FAULTS;
  /** How many sockets were cut. */
  cuts = 0;
  /** How many sockets were opened. */
  opened = 0;
  readonly #http: Server = createServer();
  readonly #sockets = new WebSocketServer({ server: this.#http });
  readonly #draw: () => number;
  readonly #target: string;
  readonly #lines = new Set<Line>();

  static async start(target: string, draw: () => number): Promise<BadNetwork> {
    const proxy = new BadNetwork(target, draw);
    await once(proxy.#http.listen(0, "127.0.0.1"), "listening");
    return proxy;
  }

  private constructor(target: string, draw: () => number) {
    this.#target = target;
    this.#draw = draw;
    this.#sockets.on("connection", (client, request) => {
      const server = new WebSocket(this.#target.replace(/^http/, "ws") + (request.url ?? "/"));
      this.opened += 1;
      this.#join(client, server);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${portOf(this.#http.address())}`;
  }

  /** HTTP of a client of this proxy, straight to the server. */
  readonly fetch: typeof fetch = (input, init) => {
    if (this.#draw() < this.faults.cut) return Promise.reject(new TypeError("cut"));
    return fetch(String(input).replace(this.url, this.#target), init);
  };

  /** Says something in the server's name to everybody. */
  announce(frame: ServerFrame): void {
    for (const line of this.#lines) line.say(JSON.stringify(frame));
  }

  cutAll(): void {
    for (const line of this.#lines) line.cut();
  }

  close(): void {
    this.cutAll();
    this.#sockets.close();
    this.#http.close();
  }

  #join(client: WebSocket, server: WebSocket): void {
    const line = new Line(client, server);
    this.#lines.add(line);
    const opened = once(server, "open").catch(() => undefined);
    let toServer: Promise<unknown> = opened;
    let toClient: Promise<unknown> = opened;
    const seen: string[] = [];
    client.on("message", (data) => {
      toServer = toServer.then(() => this.#carry(line, server, this.#fromClient(String(data))));
    });
    server.on("message", (data) => {
      toClient = toClient.then(() => this.#carry(line, client, this.#fromServer(data, seen)));
    });
    // What was sent before the end arrives before it.
    server.on("close", (code, reason) => void toClient.then(() => end(client, code, String(reason))));
    client.on("close", (code) => void toServer.then(() => end(server, code, "")));
    server.on("error", () => line.cut());
    client.on("error", () => line.cut());
    client.on("close", () => this.#lines.delete(line));
  }

  #fromClient(frame: string): string[] {
    const isHello = JSON.parse(frame).type === "hello";
    return !isHello && this.#draw() < this.faults.double ? [frame, frame] : [frame];
  }

  #fromServer(data: RawData, seen: string[]): string[] {
    const frame = String(data);
    const frames = this.#draw() < this.faults.double ? [frame, frame] : [frame];
    const earlier = seen[Math.floor(this.#draw() * seen.length)];
    if (earlier && this.#draw() < this.faults.replay) frames.push(earlier);
    if (REPLAYABLE.has(JSON.parse(frame).type)) seen.push(frame);
    return frames;
  }

  async #carry(line: Line, to: WebSocket, frames: string[]): Promise<void> {
    const delayMs = this.#draw() * this.faults.delayMs;
    if (delayMs >= 1) await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (this.#draw() < this.faults.cut) {
      this.cuts += 1;
      line.cut();
    }
    for (const frame of frames) if (to.readyState === WebSocket.OPEN) to.send(frame);
  }
}

class Line {
  readonly #client: WebSocket;
  readonly #server: WebSocket;

  constructor(client: WebSocket, server: WebSocket) {
    this.#client = client;
    this.#server = server;
  }

  say(frame: string): void {
    this.#client.send(frame);
  }

  /** Both ends are gone, with whatever was under way. */
  cut(): void {
    this.#client.terminate();
    this.#server.terminate();
  }
}

function end(socket: WebSocket, code: number, reason: string): void {
  if (code >= 1000 && code !== 1005 && code !== 1006) socket.close(code, reason);
  else socket.terminate();
}
