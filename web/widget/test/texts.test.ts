// The words around the frame.

import { expect, test } from "vitest";
import { widgetTexts } from "../src/texts.ts";

test("the first wanted language that there is wins; what is no language is English", () => {
  expect(widgetTexts(["xx", "fr-CA", "en"]).open).toBe("Ouvrir la discussion");
  for (const tag of ["", "xx", "constructor", "__proto__"]) expect(widgetTexts([tag]).open).toBe("Open chat");
});
