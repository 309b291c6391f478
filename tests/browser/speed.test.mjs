// How long a visitor waits and how much is loaded. Printed, never judged: it depends on the machine.

import { readFileSync } from "node:fs";

import { story } from "./story.mjs";
import { until } from "./until.mjs";

const { sizes } = JSON.parse(readFileSync(new URL("../../web/dist/manifest.json", import.meta.url), "utf8"));

for (const slowdown of [1, 4]) {
  story(`the time until one can write, on a processor slowed down by ${slowdown}`, async (stage, t) => {
    const context = await stage.person();
    const tab = await stage.tabOf(context, `${stage.server.url}/health`);
    tab.expects(/./);
    const session = await context.newCDPSession(tab.page);
    await session.send("Emulation.setCPUThrottlingRate", { rate: slowdown });
    for (const visit of ["first", "second"]) {
      await tab.page.goto(stage.server.url);
      const read = () => tab.page.evaluate(readTimes);
      const times = await until("a page that is in step", read, ({ inStep }) => inStep !== null);
      const shown = Object.entries(times).map(([name, ms]) => `${name} ${Math.round(ms)} ms`);
      t.diagnostic(`${visit} visit: ${shown.join(", ")}`);
    }
  });
}

story("what a visitor loads", async (_stage, t) => {
  for (const [entry, { raw, brotli }] of Object.entries(sizes)) t.diagnostic(`${entry}: ${brotli} bytes of ${raw}`);
});

/** Runs in the page: since the navigation began. */
function readTimes() {
  const mark = performance.getEntriesByName("onya-interactive")[0]?.startTime ?? null;
  return { writable: mark, inStep: mark === null ? null : globalThis.witness.inStepAt };
}
