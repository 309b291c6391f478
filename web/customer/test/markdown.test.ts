// How a model's text is shown, and that writing it piece by piece shows the same.

import fc from "fast-check";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { type ParsedText, parseBlocks } from "../src/markdown/blocks.ts";
import { renderNode } from "../src/markdown/render.tsx";
import { htmlOf, tagsOf, textOf } from "./html.ts";

function links(text: string): [string | undefined, string][] {
  const html = htmlOf(text);
  return tagsOf(html)
    .filter(({ name }) => name === "a")
    .map(({ attributes }) => [attributes.get("href"), textOf(html)]);
}

test("a link says where it leads, unless its text does", () => {
  expect(links("[the shop](https://shop.example/a)")).toEqual([["https://shop.example/a", "the shop (shop.example)"]]);
  expect(links("[https://bank.example](https://evil.example/)")[0]?.[1]).toBe("https://bank.example (evil.example)");
  expect(links("[evil.example.bank.example](https://evil.example/)")[0]?.[1]).toContain(" (evil.example)");
  expect(links("[bank.example/evil.example](https://evil.example/)")[0]?.[1]).toContain(" (evil.example)");
  expect(links("[https://evil.example@bank.example](https://evil.example/)")[0]?.[1]).toContain(" (evil.example)");
  expect(links("https://shop.example/a")).toEqual([["https://shop.example/a", "https://shop.example/a"]]);
  expect(links("www.shop.example")).toEqual([["http://www.shop.example/", "www.shop.example"]]);
  expect(links("ask help@shop.example now")).toEqual([["mailto:help@shop.example", "ask help@shop.example now"]]);
  expect(links("[write](mailto:help@shop.example)")[0]?.[1]).toBe("write (help@shop.example)");
});

test("a host that imitates another one is shown by its real letters", () => {
  const [, shown] = links("[shop](https://sh\u043ep.example/)")[0] ?? [];
  expect(shown).toMatch(/^shop \(xn--[a-z0-9-]+\.example\)$/);
});

test.each([
  [
    "of other letters",
    "\u0430\u0440\u0440\u04cf\u0435.com",
    "https://\u0430\u0440\u0440\u04cf\u0435.com/",
    "xn--80ak6aa92e.com",
  ],
  [
    "of other letters, with the real ones behind it",
    "https://\u0430\u0440\u0440\u04cf\u0435.com/xn--80ak6aa92e.com",
    "https://xn--80ak6aa92e.com/",
    "xn--80ak6aa92e.com",
  ],
  ["broken in two lines", "https://bank.exam\nple.test", "https://bank.example.test/", "bank.example.test"],
  ["with full-width dots", "shop\uff0eexample", "https://shop.example/", "shop.example"],
  ["with a zero-width space", "sh\u200bop.example", "https://shop.example/", "shop.example"],
])("a host %s does not say where the link leads", (_, text, address, host) => {
  expect(links(`[${text}](${address})`)[0]?.[1]).toBe(`${text} (${host})`);
});

test("a host in capitals says where the link leads", () => {
  expect(links("[HTTPS://Shop.Example/a](https://shop.example/a)")[0]?.[1]).toBe("HTTPS://Shop.Example/a");
});

test("a link to no allowed address is its text alone", () => {
  expect(htmlOf("[click](javascript:alert(1))")).not.toContain("<a");
  expect(textOf(htmlOf("[click](javascript:alert(1)) me"))).toBe("click me");
});

test("a picture is never loaded: it is a link with its description", () => {
  const html = htmlOf("![a cat](https://pictures.example/cat.png)");
  expect(html).not.toContain("<img");
  expect(textOf(html)).toBe("Picture: a cat (pictures.example)");
});

test("markup of others is shown as the text that it is", () => {
  expect(textOf(htmlOf("<b>x</b>"))).toBe("<b>x</b>");
  expect(textOf(htmlOf("say <b>x</b>"))).toBe("say <b>x</b>");
  expect(textOf(htmlOf("<div>\nx\n</div>"))).toBe("<div>\nx\n</div>");
});

test("direction controls are shown where they could reorder something else", () => {
  expect(textOf(htmlOf("`a\u202eb`"))).toBe("a\u27e8U+202E\u27e9b");
  expect(textOf(htmlOf("```\na\u2066b\n```"))).toContain("a\u27e8U+2066\u27e9b");
});

test("references are shown as they are written: a target that comes later changes nothing before it", () => {
  expect(textOf(htmlOf("[a][x]\n\n[x]: https://shop.example"))).toBe("[a][x][x]: https://shop.example");
  const before = links("[a][b](https://shop.example)").map(([address]) => address);
  expect(before).toEqual(["https://shop.example/"]);
  expect(links("[a][b](https://shop.example)\n\n[b]: x").map(([address]) => address)).toEqual(before);
});

test("a list begins with its own number and keeps its lines", () => {
  expect(htmlOf("3. c\n4. d")).toContain('<ol dir="auto" start="3">');
  expect(textOf(htmlOf("a\nb"))).toBe("a\nb");
});

test("what is nested beyond reason is shown and not followed", () => {
  for (const deep of [">".repeat(5_000), "- ".repeat(5_000), "[".repeat(5_000), "*".repeat(5_000)]) {
    expect(textOf(htmlOf(`${deep} x`))).toContain("x");
  }
  const list = Array.from({ length: 40 }, (_, depth) => `${"  ".repeat(depth)}- level${depth}`).join("\n");
  expect(textOf(htmlOf(list))).toContain("level39");
});

test("what is too long for Markdown is shown as text, and nothing of it is lost", () => {
  const text = `${"word ".repeat(8_000)}**end**`;
  expect(textOf(htmlOf(text)).replace(/\s+/g, "")).toBe(text.replace(/\s+/g, ""));
});

const pieces = fc.array(
  fc.constantFrom(
    ...["# Title", "\n", "\n\n", "- item", "  - nested", "1. one", "word ", "*em*", "**strong**", "`code`", "```\n"],
    ...["> quote", "---\n", "===\n", "| a | b |\n", "|---|---|\n", "    indented\n", "<div>\n", "\r\n", "\\", "  \n"],
    ...["[x](https://shop.example)", "[x]: https://shop.example\n", "[x]", "[*x*][x]", "https://shop.example/a?b"],
    ...["\ud83d\ude00", "\u0623\u0628"],
  ),
  { maxLength: 30 },
);

test("a reply that is written piece by piece is shown like one that came whole", { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(pieces, (parts) => {
      let parsed: ParsedText | null = null;
      let text = "";
      for (const part of parts) {
        text += part;
        parsed = parseBlocks(text, parsed);
        expect(markup(parsed), JSON.stringify(text)).toBe(markup(parseBlocks(text, null)));
      }
    }),
    { numRuns: 150 },
  );
});

test("blocks that more text does not change stay the same objects", () => {
  const before = parseBlocks("# a\n\nb\n\nc\n\nd", null);
  const after = parseBlocks("# a\n\nb\n\nc\n\nd and more\n\ne", before);
  expect(after.blocks.slice(0, 3)).toEqual(before.blocks.slice(0, 3));
  for (const at of [0, 1, 2]) expect(after.blocks[at]).toBe(before.blocks[at]);
  expect(after.blocks[3]).not.toBe(before.blocks[3]);
});

test("a text that is another one, not a longer one, is parsed anew", () => {
  const before = parseBlocks("# a\n\nb\n\nc\n\nd", null);
  expect(markup(parseBlocks("# x\n\nb", before))).toBe(markup(parseBlocks("# x\n\nb", null)));
});

function markup({ blocks }: ParsedText): string {
  const nodes = blocks.map(({ node, parsed, start }) =>
    createElement("div", { key: start }, renderNode(node, { parsed, depth: 0 })),
  );
  return renderToStaticMarkup(createElement("div", null, nodes));
}
