// A story and what holds for every one of them: no page of it may complain, show a dialog, ask strangers for anything,
// or let shown text flash.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { chromium, LAUNCH, Stage } from "./stage.mjs";

const LIMIT_MS = 300_000;
let browser;
before(async () => {
  browser = await chromium.launch(LAUNCH);
});
after(() => browser?.close());

/** `tell(stage, t)` is the story, `options` those of `Stage.open`. */
export function story(name, tell, options = {}) {
  test(name, { timeout: LIMIT_MS }, async (t) => {
    const stage = await Stage.open(browser, options);
    try {
      await tell(stage, t);
      assert.deepEqual(await stage.problems(), []);
    } catch (problem) {
      console.error(`--- the server's log\n${stage.server.log}---`);
      throw problem;
    } finally {
      await stage.close();
    }
  });
}
