// The place of a story: a server of its own, people with browsers of their own, and an end for all of them.

import { Customer } from "./customer.mjs";
import { Desk } from "./desk.mjs";
import { Model } from "./model.mjs";
import { Server } from "./server.mjs";

/** What drives the browser. */
export const { chromium } = await import(process.env.TEST_PLAYWRIGHT);

/** How Chromium is started, also for those who start one of their own. */
export const LAUNCH = {
  executablePath: process.env.TEST_CHROMIUM,
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};

/** Where it all happens. */
export class Stage {
  #contexts = [];
  #tabs = [];

  /** With `settings` of the server in its environment, and with a model that the story speaks for. */
  static async open(browser, { settings = {}, hasModel = false } = {}) {
    const model = hasModel ? await Model.start() : null;
    return new Stage(browser, await Server.start({ ...model?.environment, ...settings }), model);
  }

  constructor(browser, server, model) {
    this.browser = browser;
    this.server = server;
    this.model = model;
  }

  /** Somebody new who opens a page with the chat. */
  async visit(path = "/", options = {}) {
    return this.tabOf(await this.person(options), this.server.url + path);
  }

  /** Somebody of the staff who opens the desk. */
  async desk(name, options = {}) {
    const desk = await this.tabOf(await this.person(options), `${this.server.url}/desk`, Desk);
    await desk.enter(this.server.staffToken(name));
    return desk;
  }

  /** Somebody of the staff who works without a page. */
  staff(name) {
    return this.server.api(this.server.staffToken(name));
  }

  /** A browser of somebody new, in whose pages `init` runs before any script of theirs. */
  async person({ init, ...options } = {}) {
    const context = this.keep(await this.browser.newContext({ locale: "en-US", ...options }));
    if (init) await context.addInitScript(init);
    return context;
  }

  /** Closes a context with everything else. */
  keep(context) {
    this.#contexts.push(context);
    return context;
  }

  /** A tab in somebody's browser. */
  async tabOf(context, url, Kind = Customer, origins = []) {
    const tab = await Kind.open(context, url, origins);
    this.#tabs.push(tab);
    return tab;
  }

  /** What must not have been, in any tab. */
  async problems() {
    return (await Promise.all(this.#tabs.map((tab) => tab.problems()))).flat();
  }

  async close() {
    await Promise.all(this.#contexts.map((context) => context.close()));
    await this.server.remove();
    await this.model?.stop();
  }
}
