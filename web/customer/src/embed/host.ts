// The page around the frame. Nobody but the window above us is listened to, and only under the origin that it said hello
// from; nothing is sent to any other origin. Which origins may put us in a frame at all is decided by the server, which
// sends `frame-ancestors`.

import type { FromFrame, FromHost } from "@onya/widget/messages";
import { readFromHost } from "@onya/widget/messages";

/** What the page around us says first. */
export type Hello = Extract<FromHost, { type: "hello" }>;

/** The page around us, once it has said hello. */
export interface Host {
  hello: Hello;
  post: (message: FromFrame) => void;
  listen: (listener: (message: FromHost) => void) => void;
}

/** Waits until the page around us says hello. `storage` tells it whether it has to keep things for us. */
export function connectToHost(storage: "own" | "host"): Promise<Host> {
  return new Promise((resolve) => {
    let origin: string | null = null;
    const listeners = new Set<(message: FromHost) => void>();
    addEventListener("message", (event) => {
      if (event.source !== window.parent || (origin !== null && event.origin !== origin)) return;
      const message = readFromHost(event.data);
      if (message === null) return;
      if (origin !== null) {
        for (const listener of listeners) listener(message);
        return;
      }
      if (message.type !== "hello" || message.hostOrigin !== event.origin) return;
      const target = event.origin;
      origin = target;
      resolve({
        hello: message,
        post: (answer) => window.parent.postMessage(answer, target),
        listen: (listener) => listeners.add(listener),
      });
    });
    // To whoever it may be: this says nothing but that we are here.
    window.parent.postMessage({ type: "ready", storage } satisfies FromFrame, "*");
  });
}
