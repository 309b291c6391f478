// The whole app: header, connection, conversation, composer.

import type { Chat } from "@onya/client";
import { useChat } from "@onya/client/react";
import { type ReactElement, type ReactNode, useCallback, useEffect, useState } from "react";
import { Composer } from "../composer/Composer.tsx";
import { useForgottenDraft } from "../composer/useDraft.ts";
import type { Language } from "../i18n/language.ts";
import { LanguageContext } from "../i18n/texts.ts";
import { Announcer } from "../timeline/Announcer.tsx";
import { Conversation } from "../timeline/Conversation.tsx";
import { ConfirmEnd } from "./ConfirmEnd.tsx";
import { ConnectionBar } from "./ConnectionBar.tsx";
import { isEscape } from "./escape.ts";
import { Header } from "./Header.tsx";
import { ProblemBar } from "./ProblemBar.tsx";
import { useKeptFocus } from "./useKeptFocus.ts";
import { useTranscript } from "./useTranscript.ts";
import { useViewport } from "./useViewport.ts";

interface AppProps {
  chat: Chat;
  language: Language;
  /** Grows whenever the composer should take the focus. */
  focus?: number;
  /** Only in a frame: hides the panel. */
  onMinimise?: (() => void) | undefined;
}

/** The customer's app. Each chat has one of its own: what was typed, opened or announced in another does not stay. */
export function App(props: AppProps): ReactElement {
  return <ChatApp key={numberOf(props.chat)} {...props} />;
}

const numbers = new WeakMap<Chat, number>();
let chats = 0;

function numberOf(chat: Chat): number {
  const number = numbers.get(chat) ?? ++chats;
  numbers.set(chat, number);
  return number;
}

function ChatApp({ chat, language, focus = 0, onMinimise }: AppProps): ReactNode {
  const state = useChat(chat);
  const { texts } = language;
  const isClosed = state.control?.state === "closed";
  const [sent, setSent] = useState(0);
  const [isEnding, setEnding] = useState(false);
  const transcript = useTranscript(chat, language);
  useForgottenDraft(state.participant, state.conversation?.erased === true);
  useViewport();
  useKeptFocus(state.control?.state);
  useStopByKey(chat, state.turn.state !== "idle" && onMinimise === undefined);
  const say = useCallback(
    (text: string) => {
      chat.say(text);
      setSent((count) => count + 1);
    },
    [chat],
  );
  return (
    <LanguageContext value={language}>
      <div className="app" data-connection={state.connection.status} data-turn={state.turn.state}>
        {!isClosed && (
          <a className="skip" href="#text">
            {texts.skipToMessage}
          </a>
        )}
        <Header
          chat={chat}
          state={state}
          onEnd={() => setEnding(true)}
          onTranscript={transcript.save}
          onMinimise={onMinimise}
        />
        <ConnectionBar chat={chat} connection={state.connection} />
        <ProblemBar problem={state.problem} />
        {transcript.hasFailed && (
          <p className="banner" data-kind="bad" role="alert">
            {texts.transcriptFailed}
          </p>
        )}
        <main className="stage">
          <Conversation chat={chat} state={state} sent={sent} onSay={say} />
          {!isClosed && <Composer chat={chat} state={state} focus={focus} onSay={say} />}
        </main>
        <ConfirmEnd
          isOpen={isEnding}
          onAnswer={(end) => {
            setEnding(false);
            if (end) chat.closeConversation();
          }}
        />
        <Announcer key={state.participant} state={state} />
      </div>
    </LanguageContext>
  );
}

/** On a page of its own Escape stops the reply; in a panel it hides the panel. */
function useStopByKey(chat: Chat, isActive: boolean): void {
  useEffect(() => {
    if (!isActive) return;
    const stop = (event: KeyboardEvent) => {
      if (isEscape(event)) chat.stopReply();
    };
    addEventListener("keydown", stop);
    return () => removeEventListener("keydown", stop);
  }, [chat, isActive]);
}
