// The round button at the edge of the page, with the number of what is unread.

import { element, picture } from "./dom.ts";
import type { WidgetTexts } from "./texts.ts";

const BUBBLE =
  "M12 4c-4.7 0-8.5 3.3-8.5 7.4 0 2.1 1 4 2.6 5.3-.1 1.3-.6 2.4-1.4 3.3 1.7 0 3.3-.5 4.5-1.5.9.2 1.8.3 2.8.3 4.7 0 8.5-3.3 8.5-7.4S16.7 4 12 4Z";
const CROSS = "M6 6l12 12M18 6 6 18";
const MOST_SHOWN = 99;

/** The button and its live region. */
export class Launcher {
  readonly button: HTMLButtonElement;
  readonly spoken: HTMLElement;
  readonly #badge: HTMLElement;
  readonly #texts: WidgetTexts;
  #isOpen = false;
  #unread = 0;

  constructor(texts: WidgetTexts, panelId: string) {
    this.#texts = texts;
    this.#badge = element("span", { class: "badge", "aria-hidden": "true" });
    this.button = element("button", { type: "button", class: "launcher", "aria-controls": panelId });
    this.spoken = element("span", { class: "spoken", role: "status" });
    this.show(false);
  }

  /** Shows whether the panel is open. */
  show(isOpen: boolean): void {
    this.#isOpen = isOpen;
    this.#draw();
  }

  /** Shows how much is unread, and says it when it becomes more. */
  setUnread(count: number): void {
    if (count > this.#unread) this.spoken.textContent = this.#texts.unread(count);
    this.#unread = count;
    this.#draw();
  }

  #draw(): void {
    const texts = this.#texts;
    const hasUnread = this.#unread > 0 && !this.#isOpen;
    const label = this.#isOpen ? texts.close : texts.open;
    this.button.setAttribute("aria-expanded", String(this.#isOpen));
    this.button.setAttribute("aria-label", hasUnread ? `${label} (${texts.unread(this.#unread)})` : label);
    this.#badge.hidden = !hasUnread;
    this.#badge.textContent = this.#unread > MOST_SHOWN ? `${MOST_SHOWN}+` : String(this.#unread);
    this.button.replaceChildren(picture(this.#isOpen ? CROSS : BUBBLE), this.#badge);
  }
}
