// The widget on a site's page: launcher, panel, and the frame in it.

import { element } from "./dom.ts";
import { Frame } from "./frame.ts";
import { keep, readKept, setActive, wasActive } from "./kept.ts";
import { Launcher } from "./launcher.ts";
import type { FromFrame } from "./messages.ts";
import { applyStyle } from "./style.ts";
import { type WidgetTexts, widgetTexts } from "./texts.ts";
import { fillViewport } from "./viewport.ts";

const PATIENCE_MS = 10_000;
const PANEL_ID = "onya-panel";

/** Where signed tokens of a known customer come from; `null`: nobody is known. */
export type TokenSource = string | (() => Promise<string> | string) | null;

/** What the script tag asks for. */
export interface WidgetOptions {
  /** The chat server. */
  origin: string;
  language: string | null;
  side: "end" | "start";
  token: TokenSource;
}

/** One widget on one page. */
export class Widget {
  readonly #options: WidgetOptions;
  readonly #texts: WidgetTexts;
  readonly #host = document.createElement("onya-widget");
  readonly #panel: HTMLElement;
  readonly #launcher: Launcher;
  #frame: Frame | null = null;
  #token: TokenSource;
  #isOpen = false;
  #stopFilling: () => void = () => undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(options: WidgetOptions) {
    this.#options = options;
    this.#token = options.token;
    this.#texts = widgetTexts(options.language === null ? navigator.languages : [options.language]);
    this.#launcher = new Launcher(this.#texts, PANEL_ID);
    this.#panel = element("div", {
      id: PANEL_ID,
      class: "panel",
      role: "dialog",
      "aria-label": this.#texts.panel,
      hidden: "",
    });
    this.#build();
    if (wasActive()) this.#load();
  }

  /** Shows the panel and gives it the focus. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#load();
    this.#panel.hidden = false;
    this.#host.setAttribute("data-open", "");
    this.#stopFilling = fillViewport(this.#panel);
    this.#launcher.show(true);
    this.#frame?.node.focus();
    this.#frame?.post({ type: "visible", isVisible: true });
  }

  /** Hides the panel and gives the focus back to the launcher. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#panel.hidden = true;
    this.#host.removeAttribute("data-open");
    this.#stopFilling();
    this.#launcher.show(false);
    this.#launcher.button.focus();
    this.#frame?.post({ type: "visible", isVisible: false });
  }

  /** Opens or closes. */
  toggle(): void {
    if (this.#isOpen) this.close();
    else this.open();
  }

  /** Says who the customer is: a signed token, or a function that gets one; `null`: nobody that is known. */
  setToken(token: TokenSource): void {
    this.#token = token;
    this.#frame?.post({ type: "identity", isKnown: token !== null });
  }

  /** Takes everything off the page. What the customer wrote stays on the server. */
  destroy(): void {
    clearTimeout(this.#patience);
    this.#stopFilling();
    this.#frame?.remove();
    this.#host.remove();
  }

  #build(): void {
    this.#host.setAttribute("data-side", this.#options.side);
    const root = this.#host.attachShadow({ mode: "open" });
    applyStyle(root);
    root.append(this.#panel, this.#launcher.button, this.#launcher.spoken);
    root.addEventListener("keydown", (event) => {
      if (event instanceof KeyboardEvent && event.key === "Escape") this.close();
    });
    this.#launcher.button.addEventListener("click", () => this.toggle());
    document.body.append(this.#host);
  }

  #load(): void {
    if (this.#frame !== null) return;
    const address = new URL("/embed", this.#options.origin);
    if (this.#options.language !== null) address.searchParams.set("lang", this.#options.language);
    const frame = new Frame(address, this.#texts.panel, (message) => this.#heard(frame, message));
    this.#frame = frame;
    this.#panel.replaceChildren(frame.node);
    this.#patience = setTimeout(() => this.#sayTrouble(), PATIENCE_MS);
  }

  #heard(frame: Frame, message: FromFrame): void {
    switch (message.type) {
      case "ready":
        clearTimeout(this.#patience);
        this.#panel.querySelector(".trouble")?.remove();
        frame.post({
          type: "hello",
          hostOrigin: location.origin,
          isKnown: this.#token !== null,
          isVisible: this.#isOpen,
          kept: message.storage === "host" ? readKept() : {},
        });
        break;
      case "unread":
        this.#launcher.setUnread(message.count);
        break;
      case "active":
        setActive(message.active);
        break;
      case "close":
        this.close();
        break;
      case "keep":
        keep(message.key, message.value);
        break;
      case "token_wanted":
        void this.#giveToken(frame, message.request);
    }
  }

  async #giveToken(frame: Frame, request: number): Promise<void> {
    const source = this.#token;
    let token: string | null = null;
    try {
      token = await (typeof source === "function" ? source() : source);
    } catch {
      // The site has none: the chat says so.
    }
    // The site has named somebody else meanwhile: one customer's request is never answered with another's token.
    if (source !== this.#token) token = null;
    frame.post({ type: "token", request, token });
  }

  #sayTrouble(): void {
    const again = element("button", { type: "button" }, this.#texts.again);
    again.addEventListener("click", () => {
      this.#frame?.remove();
      this.#frame = null;
      this.#load();
    });
    this.#panel.append(element("div", { class: "trouble", role: "alert" }, this.#texts.failed, again));
  }
}
