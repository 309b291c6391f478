// Earlier messages come when the reader nears the top; the button is there for who does not scroll, and after a failure.

import type { Chat, ChatState } from "@onya/client";
import { type ReactNode, type RefObject, useCallback, useEffect, useRef, useState } from "react";
import { useTexts } from "../i18n/texts.ts";

const AHEAD = "240px 0px 0px 0px";

interface OlderMessagesProps {
  chat: Chat;
  state: ChatState;
  /** The part that scrolls. */
  area: RefObject<HTMLElement | null>;
}

/** The line above the first message, while there are earlier ones. */
export function OlderMessages({ chat, state, area }: OlderMessagesProps): ReactNode {
  const texts = useTexts();
  const { hasOlder, loadingOlder: isLoading } = state;
  const line = useRef<HTMLDivElement>(null);
  const [hasFailed, setFailed] = useState(false);
  const load = useCallback(() => {
    const first = chat.state.timeline[0];
    setFailed(false);
    void chat.loadOlder().then(() => setFailed(chat.state.hasOlder && chat.state.timeline[0] === first));
  }, [chat]);
  useEffect(() => {
    if (!hasOlder || isLoading || hasFailed || line.current === null) return;
    const options = { root: area.current, rootMargin: AHEAD };
    const observer = new IntersectionObserver(
      (seen) => seen.some(({ isIntersecting }) => isIntersecting) && load(),
      options,
    );
    observer.observe(line.current);
    return () => observer.disconnect();
  }, [hasOlder, isLoading, hasFailed, area, load]);
  if (!hasOlder) return null;
  return (
    <div className="older" ref={line}>
      <button id="older" type="button" className="quiet" disabled={isLoading} onClick={load}>
        {isLoading ? texts.loadingOlder : texts.loadOlder}
      </button>
    </div>
  );
}
