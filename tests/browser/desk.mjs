// What staff see and do at the desk.

import { Tab } from "./tab.mjs";
import { until } from "./until.mjs";

export class Desk extends Tab {
  /** Signs in. */
  async enter(token) {
    await this.page.locator("#token").fill(token);
    await this.page.getByRole("button", { name: "Open the desk" }).click();
  }

  /** Watches the only open conversation, or takes the only one that waits. */
  async follow(list) {
    await this.page.locator(`#${list} ${list === "open" ? ".watch" : ".claim"}`).click();
  }

  /** Clicks a button once it can be clicked. */
  async press(id) {
    await this.page.locator(`#${id}`).click();
  }

  /** Writes and sends once it may. */
  async say(text) {
    await this.page.locator("#text").fill(text);
    await this.page.locator("#send:enabled").waitFor();
    await this.page.locator("#text").press("Enter");
  }

  /** Waits until the header says who answers. */
  async control(text) {
    await this.page.locator("#control").filter({ hasText: text }).waitFor();
  }

  /** Waits until a text is shown in the conversation, by someone of this role. */
  async shows(role, text) {
    const shown = () => this.page.locator(`#timeline > li[data-role="${role}"] .text`).allTextContents();
    return (await until(`“${text}” at the desk`, shown, (texts) => texts.some((each) => each.includes(text)))).at(-1);
  }
}
