// The part that scrolls: earlier messages, the timeline, and what stands at its end.

import type { Chat, ChatState } from "@onya/client";
import { type ReactNode, useLayoutEffect, useState } from "react";
import { useTexts } from "../i18n/texts.ts";
import { Icon } from "../shell/Icon.tsx";
import { Closed } from "./Closed.tsx";
import { OlderMessages } from "./OlderMessages.tsx";
import { Queue } from "./Queue.tsx";
import { Timeline } from "./Timeline.tsx";
import { TypingLine } from "./TypingLine.tsx";
import { useStickToEnd } from "./useStickToEnd.ts";
import { Welcome } from "./Welcome.tsx";

interface ConversationProps {
  chat: Chat;
  state: ChatState;
  /** Grows with each message that is sent from here: then the end is shown. */
  sent: number;
  onSay: (text: string) => void;
}

/** The conversation, at its newest end unless the reader has scrolled away from it. */
export function Conversation({ chat, state, sent, onSay }: ConversationProps): ReactNode {
  const texts = useTexts();
  const { timeline } = state;
  const { area, content, isAway, toEnd } = useStickToEnd(timeline[0]?.key);
  useLayoutEffect(() => {
    if (sent > 0) toEnd();
  }, [sent, toEnd]);
  const newest = timeline.at(-1)?.key ?? null;
  const hasNew = useChangedWhile(isAway, newest);
  const isEmpty = timeline.length === 0 && !state.hasOlder;
  const label = hasNew ? texts.newMessages : texts.toNewest;
  return (
    <div className="conversation">
      {/* A log is read out as it grows; this one is silent, and the announcer says what is complete. */}
      <div
        id="scroll"
        className="scroll"
        ref={area}
        role="log"
        aria-live="off"
        aria-label={texts.conversation}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
      >
        <div className="column" ref={content}>
          <OlderMessages chat={chat} state={state} area={area} />
          {isEmpty && state.control?.state === "assistant" && <Welcome onSay={onSay} />}
          {isEmpty && state.control === null && <div className="loading" aria-hidden="true" />}
          <Timeline chat={chat} items={timeline} control={state.control} />
          {state.typing !== null && <TypingLine name={state.typing.name ?? null} />}
          {state.control?.state === "queue" && <Queue chat={chat} position={state.queuePosition} />}
          {state.control?.state === "closed" && (
            <Closed chat={chat} rating={state.rating} canRate={state.conversation?.erased !== true} />
          )}
        </div>
      </div>
      {isAway && (
        <button id="newest" type="button" className="newest" data-new={hasNew} aria-label={label} onClick={toEnd}>
          {hasNew && <span>{label}</span>}
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

/** Whether `value` is another one than when `condition` became true. */
function useChangedWhile(condition: boolean, value: string | null): boolean {
  const [held, setHeld] = useState(value);
  if (!condition && held !== value) setHeld(value);
  return condition && held !== value;
}
