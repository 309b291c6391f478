// The pictures in the documentation: each is named, there and small.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { test } from "node:test";

const DOCS = new URL("../../docs/", import.meta.url);
const MOST_BYTES = 64 * 1024;

test("every screenshot that a page of the documentation names exists, and every one is named by CUSTOMER.md", () => {
  const pages = readdirSync(DOCS).filter((name) => name.endsWith(".md"));
  const named = (page) =>
    Array.from(readFileSync(new URL(page, DOCS), "utf8").matchAll(/\(screenshots\/([^)]+)\)/g), ([, name]) => name);
  const present = readdirSync(new URL("screenshots/", DOCS)).sort();
  assert.deepEqual(named("CUSTOMER.md").sort(), present);
  for (const name of pages.flatMap(named)) assert.ok(present.includes(name), name);
});

test("the script makes exactly the screenshots that there are, and each is small", () => {
  const script = readFileSync(new URL("screenshots.mjs", import.meta.url), "utf8");
  const made = Array.from(script.matchAll(/^ {2}"([\w-]+)": async/gm), ([, name]) => `${name}.png`).sort();
  const folder = new URL("screenshots/", DOCS);
  assert.deepEqual(made, readdirSync(folder).sort());
  for (const name of made) assert.ok(statSync(new URL(name, folder)).size <= MOST_BYTES, name);
});
