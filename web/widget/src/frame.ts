// The frame that holds the chat. Only its own window is listened to, and only under the origin of the chat server; and
// nothing is sent to it under any other.

import { element } from "./dom.ts";
import { type FromFrame, type FromHost, readFromFrame } from "./messages.ts";

// What the chat needs, and not the right to lead the page around it somewhere else.
const MAY =
  "allow-scripts allow-same-origin allow-forms allow-modals allow-downloads allow-popups allow-popups-to-escape-sandbox";

/** A frame of `origin`; `listener` is given what the chat in it says. */
export class Frame {
  readonly node: HTMLIFrameElement;
  readonly #origin: string;
  readonly #listen: (event: MessageEvent) => void;
  #isHeard = false;

  constructor(address: URL, title: string, listener: (message: FromFrame) => void) {
    this.#origin = address.origin;
    this.node = element("iframe", { title, src: address.href, sandbox: MAY, allow: "clipboard-write" });
    this.#listen = ({ source, origin, data }) => {
      if (source !== this.node.contentWindow || source === null || origin !== this.#origin) return;
      const message = readFromFrame(data);
      if (message === null) return;
      this.#isHeard = true;
      listener(message);
    };
    addEventListener("message", this.#listen);
  }

  /** Tells the chat something. Before it has said that it is ready, nobody would hear it. */
  post(message: FromHost): void {
    if (this.#isHeard) this.node.contentWindow?.postMessage(message, this.#origin);
  }

  /** Removes it from the page. */
  remove(): void {
    removeEventListener("message", this.#listen);
    this.node.remove();
  }
}
