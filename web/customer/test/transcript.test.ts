// The document that a customer keeps.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { LogEntry } from "@onya/client";
import { expect, test } from "vitest";
import { chooseLanguage, ENGLISH } from "../src/i18n/language.ts";
import { escapeHtml, transcriptPage, transcriptText } from "../src/transcript/transcript.ts";
import { tagsOf } from "./html.ts";

const corpus: { texts: string[] } = JSON.parse(
  readFileSync(fileURLToPath(new URL("./xss.json", import.meta.url)), "utf8"),
);
const at = Date.UTC(2026, 0, 1, 12);

function said(text: string, name?: string): LogEntry {
  const author =
    name === undefined ? { id: "c", role: "customer" as const } : { id: "a", role: "agent" as const, name };
  return { seq: 2, prev: 1, at, kind: "message_said", author, text };
}

const log: LogEntry[] = [
  { seq: 1, prev: 0, at, kind: "opened", language: "en" },
  said("Where is it?"),
  { seq: 3, prev: 2, at, kind: "turn_opened", answers: 2 },
  { seq: 4, prev: 3, at, kind: "turn_ended", turn: 3, outcome: "stopped", text: "It is" },
  { seq: 5, prev: 4, at, kind: "notice_posted", notice_key: "still_waiting", notice: "Please wait." },
  said("Here.", "Anna"),
];

test("the text has everything that was said, by whom, and how it ended", () => {
  const text = transcriptText(log, ENGLISH);
  expect(text).toMatch(
    /You:\nWhere is it\?[\s\S]*Assistant:\nIt is\n\(You stopped this reply\)[\s\S]*Please wait\.[\s\S]*Anna:\nHere\./,
  );
});

test("nothing that anybody said becomes markup of the page", () => {
  const entries = corpus.texts.flatMap((text) => [said(text), said("x", text)]);
  const page = transcriptPage(entries, ENGLISH);
  const body = page.slice(page.indexOf("<body>"));
  const names = new Set(tagsOf(body).map(({ name }) => name));
  expect([...names].sort()).toEqual(["b", "body", "h1", "li", "ol", "p", "time"]);
  for (const { attributes } of tagsOf(body)) expect([...attributes].every(([key]) => key === "dir")).toBe(true);
});

test("the page may run nothing and load nothing, and is written from the side of its language", async () => {
  const page = transcriptPage(log, await chooseLanguage(["ar"]));
  expect(page).toContain(`<meta http-equiv="Content-Security-Policy" content="default-src 'none';`);
  expect(page).toContain('<html lang="ar" dir="rtl">');
});

test("every character that could end a text or an attribute is escaped", () => {
  expect(escapeHtml(`&<>"'\``)).toBe("&#38;&#60;&#62;&#34;&#39;&#96;");
});
