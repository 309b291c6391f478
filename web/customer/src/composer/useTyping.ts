// Tells the others that the customer is writing: about every three seconds, and when it is over.

import type { Chat } from "@onya/client";
import { useCallback, useEffect, useMemo, useRef } from "react";

const AGAIN_MS = 3_000;
const PAUSE_MS = 5_000;

interface Typing {
  goesOn: () => void;
  ended: () => void;
}

/** Call `goesOn` with each change of the text, `ended` when it was sent, emptied or left. */
export function useTyping(chat: Chat): Typing {
  const saidAt = useRef<number | null>(null);
  const pause = useRef<ReturnType<typeof setTimeout>>(undefined);
  const ended = useCallback(() => {
    clearTimeout(pause.current);
    if (saidAt.current === null) return;
    saidAt.current = null;
    chat.typing(false);
  }, [chat]);
  const goesOn = useCallback(() => {
    clearTimeout(pause.current);
    pause.current = setTimeout(ended, PAUSE_MS);
    if (saidAt.current !== null && Date.now() - saidAt.current < AGAIN_MS) return;
    saidAt.current = Date.now();
    chat.typing(true);
  }, [chat, ended]);
  useEffect(() => ended, [ended]);
  return useMemo(() => ({ goesOn, ended }), [goesOn, ended]);
}
