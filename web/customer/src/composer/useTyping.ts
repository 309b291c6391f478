// Tells the others that the customer is writing, and that it is over: also when the text is just left standing.

import type { Chat } from "@onya/client";
import { useCallback, useEffect, useMemo, useRef } from "react";

const PAUSE_MS = 5_000;

interface Typing {
  goesOn: () => void;
  ended: () => void;
}

/** Call `goesOn` with each change of the text, `ended` when it was sent, emptied or left. */
export function useTyping(chat: Chat): Typing {
  const pause = useRef<ReturnType<typeof setTimeout>>(undefined);
  const ended = useCallback(() => {
    clearTimeout(pause.current);
    chat.typing(false);
  }, [chat]);
  const goesOn = useCallback(() => {
    clearTimeout(pause.current);
    pause.current = setTimeout(ended, PAUSE_MS);
    chat.typing(true);
  }, [chat, ended]);
  useEffect(() => ended, [ended]);
  return useMemo(() => ({ goesOn, ended }), [goesOn, ended]);
}
