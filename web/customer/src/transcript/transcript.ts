// The whole conversation as a document to keep: plain text, or one page without scripts.

import type { LogEntry } from "@onya/client";
import type { Language } from "../i18n/language.ts";
import { showDirectionControls } from "../markdown/bidi.ts";
import { dateTimeOf } from "../timeline/clock.ts";

interface Line {
  at: number;
  who: string | null;
  text: string;
}

/** The conversation as plain text. */
export function transcriptText(entries: readonly LogEntry[], language: Language): string {
  const lines = linesOf(entries, language).map(({ at, who, text }) => {
    const head = `[${dateTimeOf(at, language.tag)}]`;
    return who === null ? `${head} ${text}` : `${head} ${who}:\n${text}`;
  });
  return `${title(entries, language)}\n\n${lines.join("\n\n")}\n`;
}

/** The conversation as a page of its own. Everything that was said stands in it as text. */
export function transcriptPage(entries: readonly LogEntry[], language: Language): string {
  const items = linesOf(entries, language).map(({ at, who, text }) => {
    const time = `<time>${escapeHtml(dateTimeOf(at, language.tag))}</time>`;
    const author = who === null ? "" : `<b dir="auto">${escapeHtml(who)}</b> `;
    return `<li>${author}${time}<p dir="auto">${escapeHtml(text)}</p></li>`;
  });
  const heading = escapeHtml(title(entries, language));
  return [
    "<!doctype html>",
    `<html lang="${escapeHtml(language.tag)}" dir="${language.direction}"><head><meta charset="utf-8">`,
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<meta name="viewport" content="width=device-width"><title>${heading}</title><style>${STYLE}</style></head>`,
    `<body><h1>${heading}</h1><ol>${items.join("\n")}</ol></body></html>`,
  ].join("\n");
}

/** Text that is text wherever it stands in a page: in an element or in an attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}ol{list-style:none;padding:0}" +
  "li{margin-block:1rem}p{white-space:pre-wrap;overflow-wrap:anywhere;margin:0}time{color:#666;font-size:.85em}";

function title(entries: readonly LogEntry[], { texts, tag }: Language): string {
  const first = entries[0];
  return `${texts.title} – ${texts.transcriptOf(first === undefined ? "" : dateTimeOf(first.at, tag))}`;
}

function linesOf(entries: readonly LogEntry[], language: Language): Line[] {
  return entries.map((entry) => lineOf(entry, language)).filter((line) => line !== null);
}

function lineOf(entry: LogEntry, { texts }: Language): Line | null {
  if (entry.erased && (entry.kind === "message_said" || entry.kind === "turn_ended")) return null;
  switch (entry.kind) {
    case "erased":
      return { at: entry.at, who: null, text: texts.erased };
    case "message_said": {
      const { role, name } = entry.author;
      const who = role === "customer" ? texts.you : showDirectionControls(name ?? texts.team);
      return { at: entry.at, who, text: entry.text };
    }
    case "turn_ended": {
      const how = entry.outcome === "final" ? "" : `(${texts.outcome[entry.outcome]})`;
      const text = [entry.text, how].filter((part) => part !== "").join("\n");
      return { at: entry.at, who: texts.assistant, text };
    }
    case "control_changed":
    case "notice_posted":
      return typeof entry.notice !== "string" ? null : { at: entry.at, who: null, text: entry.notice };
    default:
      return null;
  }
}
