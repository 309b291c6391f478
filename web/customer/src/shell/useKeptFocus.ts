// Where the focus goes when what had it is gone: to what took its place, so that who uses the keyboard or a screen reader
// need not look for it.

import type { ChatState } from "@onya/client";
import { useEffect, useRef } from "react";

type Who = NonNullable<ChatState["control"]>["state"] | undefined;

/** After the end of a conversation the focus is on the card that says so, after a new beginning on the text field. */
export function useKeptFocus(who: Who): void {
  const before = useRef(who);
  useEffect(() => {
    const wasClosed = before.current === "closed";
    const hasEnded = who === "closed" && before.current !== undefined;
    before.current = who;
    if (document.activeElement !== document.body || !document.hasFocus()) return;
    if (hasEnded && !wasClosed) focus("closed");
    if (wasClosed && who !== "closed") focus("text");
  }, [who]);
}

function focus(id: string): void {
  document.getElementById(id)?.focus({ preventScroll: true });
}
