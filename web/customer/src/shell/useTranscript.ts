// Loads the whole log and saves it as a document.

import type { Chat } from "@onya/client";
import { useCallback, useState } from "react";
import type { Language } from "../i18n/language.ts";
import { download } from "../transcript/download.ts";
import { transcriptPage, transcriptText } from "../transcript/transcript.ts";

interface Transcript {
  hasFailed: boolean;
  save: (format: "text" | "page") => void;
}

/** The saving of transcripts, and whether the last one failed. */
export function useTranscript(chat: Chat, language: Language): Transcript {
  const [hasFailed, setFailed] = useState(false);
  const save = useCallback(
    (format: "text" | "page") => {
      setFailed(false);
      chat.transcript().then(
        (entries) => {
          if (format === "text") download("chat.txt", "text/plain", transcriptText(entries, language));
          else download("chat.html", "text/html", transcriptPage(entries, language));
        },
        () => setFailed(true),
      );
    },
    [chat, language],
  );
  return { hasFailed, save };
}
