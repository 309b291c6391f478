// The key that leaves something.

/** Whether Escape was pressed for us: not to leave a word that is being composed, nor by who has dealt with it already. */
export function isEscape(event: Pick<KeyboardEvent, "key" | "isComposing" | "defaultPrevented">): boolean {
  return event.key === "Escape" && !event.isComposing && !event.defaultPrevented;
}
