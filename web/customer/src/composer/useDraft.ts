// The draft of whoever is writing: it survives a reload of the tab, where the browser lets us keep it.

import { useCallback, useEffect, useState } from "react";
import { type Draft, draftOf, keepDraft } from "./draft.ts";

const NOTHING: Draft = { participant: null, text: "" };

/** Forgets what was written and not sent once the conversation it was for is erased. */
export function useForgottenDraft(participant: string | null, isErased: boolean): void {
  useEffect(() => {
    if (isErased) keepDraft({ participant, text: "" });
  }, [participant, isErased]);
}

/** The participant's draft, and what changes it. */
export function useDraft(participant: string | null): [string, (text: string) => void] {
  const [held, setHeld] = useState(NOTHING);
  const draft = draftOf(held, participant);
  if (draft !== held) setHeld(draft);
  useEffect(() => keepDraft(draft), [draft]);
  const setText = useCallback((text: string) => setHeld({ participant, text }), [participant]);
  return [draft.text, setText];
}
