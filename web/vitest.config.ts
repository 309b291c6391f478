// The tests of every package: `--project unit` needs nothing but Node, `--project server` the built binary in ONYA_BIN.

import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

// Packages of this workspace are used by their sources.
const conditions = ["source", ...defaultServerConditions];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["*/test/**/*.test.{ts,tsx}"], exclude: ["*/test/server/**"] },
      },
      {
        extends: true,
        test: {
          name: "server",
          include: ["*/test/server/**/*.test.ts"],
          testTimeout: 240_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
