// Loads the whole log and saves it as a document.

import type { Chat } from "@onya/client";
import { useCallback, useState } from "react";
import type { Language } from "../i18n/language.ts";

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
      Promise.all([chat.transcript(), import("../transcript/save.ts")]).then(
        ([entries, { saveTranscript }]) => saveTranscript(entries, format, language),
        () => setFailed(true),
      );
    },
    [chat, language],
  );
  return { hasFailed, save };
}
