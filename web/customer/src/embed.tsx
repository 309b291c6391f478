// The page in the widget's frame, at `/embed`.

import { type Chat, type ChatStorage, createChat } from "@onya/client";
import { connectToHost, type Host } from "./embed/host.ts";
import { identityFrom } from "./embed/identity.ts";
import { hostStorage, ownStorage } from "./embed/storage.ts";
import { Unread } from "./embed/unread.ts";
import { pageLanguage } from "./i18n/pageLanguage.ts";
import { isEscape } from "./shell/escape.ts";
import { type Mounted, mount } from "./shell/mount.tsx";

const language = await pageLanguage();
document.title = language.texts.title;
document.documentElement.dataset.embedded = "true";
void start();

async function start(): Promise<void> {
  const own = ownStorage();
  if (window.parent === window) {
    const chat = createChat({ language: language.tag });
    chat.start();
    mount({ chat, language });
    return;
  }
  const host = await connectToHost(own === null ? "host" : "own");
  new Embedded(host, own ?? hostStorage(host), own !== null).begin();
}

/** One chat in a frame, exchanged for another one when the site says who the customer is. */
class Embedded {
  readonly #unread: Unread;
  readonly #identity: () => Promise<string>;
  #chat: Chat;
  #mounted: Mounted | null = null;
  #isVisible: boolean;
  #focus = 0;
  #exchanges = 0;
  #said = { unread: -1, active: false };

  constructor(
    private readonly host: Host,
    private readonly storage: ChatStorage,
    /** Where the browser blocks our storage, it blocks locks between tabs as well. */
    private readonly mayLock: boolean,
  ) {
    this.#unread = new Unread(storage);
    this.#identity = identityFrom(host);
    this.#isVisible = host.hello.isVisible;
    this.#chat = this.#createChat(host.hello.isKnown);
  }

  begin(): void {
    this.host.listen((message) => {
      if (message.type === "visible") this.#show(message.isVisible);
      if (message.type === "identity") this.#exchange(message.isKnown);
    });
    addEventListener("keydown", (event) => {
      if (isEscape(event)) this.host.post({ type: "close" });
    });
    this.#show(this.#isVisible);
  }

  #createChat(isKnown: boolean): Chat {
    const chat = createChat({
      language: language.tag,
      storage: this.storage,
      ...(this.mayLock ? {} : { locks: null }),
      ...(isKnown ? { identity: this.#identityOfNow() } : {}),
    });
    chat.subscribe(() => this.#report());
    chat.start();
    return chat;
  }

  /** A source of tokens for the customer of this moment only. */
  #identityOfNow(): () => Promise<string> {
    const number = this.#exchanges;
    return async () => {
      if (number !== this.#exchanges) throw new Error("the customer is another one by now");
      return this.#identity();
    };
  }

  #exchange(isKnown: boolean): void {
    this.#exchanges += 1;
    this.#chat.stop();
    this.#chat = this.#createChat(isKnown);
    // The app is a new one: it takes the focus only from the old one, never from the page around us.
    this.#focus = document.hasFocus() ? 1 : 0;
    this.#render();
  }

  #show(isVisible: boolean): void {
    this.#isVisible = isVisible;
    if (isVisible) this.#focus += 1;
    this.#render();
    this.#report();
  }

  #render(): void {
    const props = {
      chat: this.#chat,
      language: language,
      focus: this.#focus,
      onMinimise: () => this.host.post({ type: "close" }),
    };
    if (this.#mounted === null) this.#mounted = mount(props);
    else this.#mounted.render(props);
  }

  /** Tells the page around us what its launcher shows, when it has changed. */
  #report(): void {
    const { state } = this.#chat;
    const unread = this.#unread.look(state, this.#isVisible);
    const active = state.timeline.length > 0 && state.control?.state !== "closed";
    if (unread !== this.#said.unread) this.host.post({ type: "unread", count: unread });
    if (active !== this.#said.active) this.host.post({ type: "active", active });
    this.#said = { unread, active };
  }
}
