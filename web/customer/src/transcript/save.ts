// Saves a conversation in one of the two forms. Loaded when it is asked for.

import type { LogEntry } from "@onya/client";
import type { Language } from "../i18n/language.ts";
import { download } from "./download.ts";
import { transcriptPage, transcriptText } from "./transcript.ts";

/** Hands the conversation to the browser's downloads. */
export function saveTranscript(entries: readonly LogEntry[], format: "text" | "page", language: Language): void {
  if (format === "text") download("chat.txt", "text/plain", transcriptText(entries, language));
  else download("chat.html", "text/html", transcriptPage(entries, language));
}
