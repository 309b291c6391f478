// Names of commands.

import { expect, test } from "vitest";

import { newIdentifier } from "../src/identifier.ts";

test("identifiers are random UUIDs", () => {
  const names = Array.from({ length: 1_000 }, newIdentifier);
  for (const name of names)
    expect(name).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(names).size).toBe(1_000);
});
