// What a chat runs in: a browser or Node, as the options say or as it is found.

import type { ChatOptions } from "./chat.ts";
import { type Exclusion, exclusionFor } from "./exclusion.ts";
import { Http } from "./http.ts";
import type { WebSocketConstructor } from "./link.ts";
import { defaultStorage, Shelf } from "./storage.ts";

/** Everything of the outside that a chat uses. */
export interface Environment {
  /** The address of the server, without a slash at its end. */
  readonly base: string;
  readonly http: Http;
  readonly shelf: Shelf;
  readonly exclusion: Exclusion;
  readonly webSocket: WebSocketConstructor;
  readonly language: string | undefined;
  readonly random: () => number;
}

/** Throws a TypeError if something is neither given nor there. `storageFailed` hears of writes that have failed. */
export function environmentOf(options: ChatOptions, storageFailed: (error: unknown) => void): Environment {
  const base = baseOf(options.url);
  // What an unknown visitor leaves in a browser is not for a customer who logs in there, and the other way round.
  const prefix = `onya ${base} ${options.identity ? "customer" : "visitor"} `;
  const shelf = new Shelf(options.storage ?? defaultStorage(), prefix, storageFailed);
  const locks = options.locks === undefined ? globalThis.navigator?.locks : (options.locks ?? undefined);
  return {
    base,
    http: new Http(base, options.fetch ?? ((input, init) => fetch(input, init))),
    shelf,
    exclusion: exclusionFor(shelf, locks),
    webSocket: webSocketOf(options),
    language: options.language ?? globalThis.navigator?.language,
    random: options.random ?? Math.random,
  };
}

function baseOf(url: string | undefined): string {
  const address = url ?? globalThis.location?.origin;
  if (address === undefined) throw new TypeError("`url` is needed outside a browser");
  return new URL(address).href.replace(/\/$/, "");
}

function webSocketOf({ webSocket }: ChatOptions): WebSocketConstructor {
  const found = webSocket ?? globalThis.WebSocket;
  if (found === undefined) throw new TypeError("`webSocket` is needed where there is none");
  return found;
}
