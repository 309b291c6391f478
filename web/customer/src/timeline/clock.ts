// Times as the reader's language writes them.

import type { TimelineItem } from "@onya/client";

const formats = new Map<string, Intl.DateTimeFormat>();

/** Hours and minutes. */
export function timeOf(at: number, tag: string): string {
  return formatter(tag, { hour: "numeric", minute: "2-digit" }).format(at);
}

/** The date of an item, in words; null if it has none. */
export function dayOf(item: TimelineItem, tag: string): string | null {
  if (item.kind === "command") return null;
  return formatter(tag, { weekday: "long", day: "numeric", month: "long" }).format(item.at);
}

/** Date and time, for documents. */
export function dateTimeOf(at: number, tag: string): string {
  return formatter(tag, { dateStyle: "medium", timeStyle: "short" }).format(at);
}

function formatter(tag: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const name = `${tag} ${JSON.stringify(options)}`;
  const known = formats.get(name) ?? new Intl.DateTimeFormat(tag, options);
  formats.set(name, known);
  return known;
}
