// When Escape means us.

import { expect, test } from "vitest";
import { isEscape } from "../src/shell/escape.ts";

const pressed = { key: "Escape", isComposing: false, defaultPrevented: false };

test("Escape leaves, unless it ends the composing of a word or somebody has dealt with it", () => {
  expect(isEscape(pressed)).toBe(true);
  expect(isEscape({ ...pressed, isComposing: true })).toBe(false);
  expect(isEscape({ ...pressed, defaultPrevented: true })).toBe(false);
  expect(isEscape({ ...pressed, key: "Enter" })).toBe(false);
});
