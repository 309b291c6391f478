// A story: a server of its own, people with browsers of their own, and an end for all of them.

import { after, before, test } from "node:test";

import { Page } from "./page.mjs";
import { Server } from "./server.mjs";

const LIMIT_MS = 120_000;
const { chromium } = await import(process.env.TEST_PLAYWRIGHT);
let browser;

before(async () => {
  browser = await chromium.launch({
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
  });
});
after(() => browser?.close());

/** `tell({ server, visit })`, where `visit(path)` is somebody new who opens a page. */
export function story(name, tell) {
  test(name, { timeout: LIMIT_MS }, async () => {
    const server = await Server.start();
    const people = [];
    const visit = async (path) => {
      const context = await browser.newContext({ locale: "en-US" });
      people.push(context);
      return Page.open(context, server.url + path);
    };
    try {
      await tell({ server, visit });
    } catch (problem) {
      console.error(`--- the server's log\n${server.log}---`);
      throw problem;
    } finally {
      await Promise.all(people.map((context) => context.close()));
      await server.remove();
    }
  });
}
