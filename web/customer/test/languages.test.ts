// Every language has every text.

import { describe, expect, test } from "vitest";
import { en } from "../src/i18n/en.ts";
import { chooseLanguage, LANGUAGES } from "../src/i18n/language.ts";

/** Each text by its path: what kind of value it is, and a function's text for a few numbers and names. */
function shapeOf(value: unknown, path = ""): [string, string][] {
  if (typeof value === "string") return [[path, value.trim() === "" ? "empty" : "text"]];
  if (typeof value === "function") return [[path, `function of ${value.length}`]];
  if (typeof value !== "object" || value === null) return [[path, "something else"]];
  return Object.entries(value).flatMap(([key, within]) => shapeOf(within, `${path}.${key}`));
}

describe.each(Object.keys(LANGUAGES))("%s", (code) => {
  test("has every text, with the same parameters", async () => {
    expect(shapeOf(await LANGUAGES[code]?.())).toEqual(shapeOf(en));
  });

  test("says every number and name that it is given", async () => {
    const texts = await LANGUAGES[code]?.();
    expect(texts?.queuePosition(7)).toContain("7");
    expect(texts?.agentAnswers("Anna")).toContain("Anna");
    expect(texts?.typing("Anna")).toContain("Anna");
    expect(texts?.reconnecting(12, 3)).toMatch(/3.*12|12.*3/);
    expect(texts?.reconnecting(0, 3)).toContain("3");
    expect(texts?.tooLong(9)).toContain("9");
  });
});

test("the first wanted language that there is wins, with its region", async () => {
  expect(await chooseLanguage(["xx", "fr-CA", "en"])).toMatchObject({ tag: "fr-CA", direction: "ltr" });
  expect(await chooseLanguage([null, "ar-EG"])).toMatchObject({ tag: "ar-EG", direction: "rtl" });
  expect((await chooseLanguage(["de"])).texts.send).toBe("Senden");
});

test("what is no language at all is English", async () => {
  for (const tag of ["", "xx", "../../etc", "<script>", "e".repeat(500), "constructor", "__proto__"]) {
    expect(await chooseLanguage([tag])).toMatchObject({ tag: "en", direction: "ltr", texts: { send: "Send" } });
  }
});
