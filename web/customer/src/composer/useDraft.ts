// What was written and not sent yet: it survives a reload of the tab, where the browser lets us keep it.

import { useEffect, useState } from "react";

const KEY = "onya.draft";

/** The draft, and what changes it. */
export function useDraft(): [string, (text: string) => void] {
  const [draft, setDraft] = useState(read);
  useEffect(() => keep(draft), [draft]);
  return [draft, setDraft];
}

function read(): string {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function keep(draft: string): void {
  try {
    if (draft === "") sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, draft);
  } catch {
    // A frame whose storage is blocked: the draft lives as long as the page.
  }
}
