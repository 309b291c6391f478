// The tests of every package: `--project unit` needs nothing but Node, `--project server` the built binary in ONYA_BIN.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["*/test/**/*.test.ts"], exclude: ["*/test/server/**"] } },
      {
        test: {
          name: "server",
          include: ["*/test/server/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
