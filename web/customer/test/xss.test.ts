// The allowlist of what a message may become, over a corpus of hostile texts.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { htmlOf, tagsOf } from "./html.ts";

const corpus: { texts: string[] } = JSON.parse(
  readFileSync(fileURLToPath(new URL("./xss.json", import.meta.url)), "utf8"),
);

const ANYWHERE = ["class", "dir"];
const ALLOWED: Record<string, string[]> = {
  a: ["href", "target", "rel"],
  bdi: [],
  blockquote: [],
  br: [],
  button: ["type", "aria-label", "title"],
  code: [],
  del: [],
  div: ["tabindex"],
  em: [],
  hr: [],
  li: [],
  ol: ["start"],
  h2: ["data-depth"],
  p: [],
  path: ["d"],
  pre: [],
  span: ["role"],
  strong: [],
  svg: ["viewBox", "aria-hidden", "focusable"],
  table: [],
  tbody: [],
  td: ["data-align"],
  th: ["data-align"],
  thead: [],
  tr: [],
  ul: [],
};

describe("a hostile text becomes nothing but harmless elements", () => {
  test.each(corpus.texts.map((text) => [text]))("%j", (text) => {
    for (const variant of [text, `before ${text} after`, `- ${text}`, `> ${text}\n\n${text}`, `${text}\n\n${text}`]) {
      for (const { name, attributes } of tagsOf(htmlOf(variant))) {
        expect(Object.keys(ALLOWED)).toContain(name);
        for (const [key, value] of attributes) {
          expect([...ANYWHERE, ...(ALLOWED[name] ?? [])], `${name} ${key}="${value}"`).toContain(key);
          if (key === "href") expectSafe(value);
        }
        if (name === "a") {
          expect(attributes.get("rel")).toBe("noopener noreferrer nofollow");
          expect(attributes.get("target")).toBe("_blank");
        }
      }
    }
  });
});

function expectSafe(address: string): void {
  const url = new URL(address);
  expect(["http:", "https:", "mailto:"]).toContain(url.protocol);
  expect(url.username + url.password).toBe("");
  expect(address).toBe(url.href);
}

test("the corpus is large, and the reading of the markup is not fooled by what it looks for", () => {
  expect(corpus.texts.length).toBeGreaterThan(100);
  expect(tagsOf("<p>a &lt;script&gt; b</p>").map(({ name }) => name)).toEqual(["p"]);
  expect(tagsOf('<img src="x" onerror="alert(1)">')[0]?.attributes.get("onerror")).toBe("alert(1)");
  expect(() => tagsOf("<p>a < b</p>")).toThrow();
});
