// The types are those of the schema: whoever changes one has to generate the other.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import { generate } from "../scripts/generate.mjs";

test("the generated types are what the schema gives: `npm run generate -w client`", () => {
  const committed = readFileSync(new URL("../src/generated/protocol.ts", import.meta.url), "utf8");
  expect(committed).toBe(generate());
});
