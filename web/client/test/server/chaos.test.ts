// A bad network, a server that is killed, tabs that crash: in the end every tab shows the server's log, in which each
// message stands once and in order.

import { afterAll, beforeAll, expect, test } from "vitest";

import { Onya } from "./onya.ts";
import { World } from "./world.ts";

const BATCHES = [1, 2, 3, 4, 5];
const SEEDS_A_BATCH = 5;
const STEPS = 30;

let onya: Onya;
beforeAll(async () => {
  onya = await Onya.start({ "llm.mock.tokens_per_second": "200" });
});
afterAll(() => onya?.remove());

test.each(BATCHES)(
  "batch %i: after cuts, delays, doubles, crashes and two kills the log is the same everywhere",
  async (batch) => {
    const seeds = Array.from({ length: SEEDS_A_BATCH }, (_, index) => batch * 100 + index);
    const worlds = await Promise.all(seeds.map((seed) => World.create(onya, seed)));
    try {
      for (let kills = 0; kills < 2; kills += 1) {
        const acting = worlds.map((world) => world.act(STEPS));
        await Promise.race(acting);
        await onya.end("SIGKILL");
        await onya.start();
        await Promise.all(acting);
      }
      await Promise.all(worlds.map((world) => world.act(STEPS)));
      await Promise.all(worlds.map((world) => world.settle()));
      expect(worlds.reduce((sum, { cuts }) => sum + cuts, 0)).toBeGreaterThan(0);
    } finally {
      for (const world of worlds) world.close();
    }
  },
);
