// What is left of an entry once its conversation is erased. Pure.

import type { Author, LogEntry } from "./generated/protocol.ts";

/** The entry without what people said, as the server shows it from then on. */
export function withoutTexts(entry: LogEntry): LogEntry {
  switch (entry.kind) {
    case "message_said":
      return { ...entry, erased: true, author: withoutName(entry.author), text: "" };
    case "turn_ended":
      return { ...entry, erased: true, text: "" };
    case "rated": {
      const { comment: _comment, ...rest } = entry;
      return { ...rest, erased: true };
    }
    case "control_changed": {
      const { summary: _summary, by, ...rest } = entry;
      return { ...rest, ...(by && { by: withoutName(by) }), erased: true };
    }
    case "erased":
      return entry;
    default:
      return { ...entry, erased: true };
  }
}

function withoutName(author: Author): Author {
  return author.role === "customer" ? { id: author.id, role: author.role } : author;
}
