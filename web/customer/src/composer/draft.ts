// What was written and not sent yet, and by whom: in one browser several people may be customers one after the other.

const KEY = "onya.draft";

/** A text of this participant; of nobody known yet, if that is null. */
export interface Draft {
  participant: string | null;
  text: string;
}

/** The draft once `participant` writes: what was typed before anybody was known is theirs, another's is not. */
export function draftOf(draft: Draft, participant: string | null): Draft {
  if (draft.participant === participant) return draft;
  if (draft.participant === null && draft.text !== "") return { participant, text: draft.text };
  return { participant, text: participant === null ? "" : kept(participant) };
}

/** Keeps it for a reload of the tab, in place of any other. */
export function keepDraft({ participant, text }: Draft): void {
  if (participant === null) return;
  try {
    if (text === "") sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, `${participant} ${text}`);
  } catch {
    // A frame whose storage is blocked: the draft lives as long as the page.
  }
}

function kept(participant: string): string {
  const owner = `${participant} `;
  try {
    const found = sessionStorage.getItem(KEY) ?? "";
    return found.startsWith(owner) ? found.slice(owner.length) : "";
  } catch {
    return "";
  }
}
