// The bar at the top: who answers, and what can be done with the conversation.

import type { Chat, ChatState } from "@onya/client";
import type { ReactNode } from "react";
import { useTexts } from "../i18n/texts.ts";
import { Icon } from "./Icon.tsx";
import { Menu } from "./Menu.tsx";
import { presenceOf } from "./presence.ts";

interface HeaderProps {
  chat: Chat;
  state: ChatState;
  onEnd: () => void;
  onTranscript: (format: "text" | "page") => void;
  /** Only in a frame: hides the panel. */
  onMinimise?: (() => void) | undefined;
}

/** The bar at the top. */
export function Header({ chat, state, onEnd, onTranscript, onMinimise }: HeaderProps): ReactNode {
  const texts = useTexts();
  const presence = presenceOf(state, texts);
  const isOpen = presence.who !== "nobody" && presence.who !== "closed";
  return (
    <header className="bar">
      <span className="mark" aria-hidden="true" />
      <div className="who">
        <h1>{texts.title}</h1>
        <p id="control" className="presence" data-control={presence.who} role="status">
          <span>{presence.text}</span>
        </p>
      </div>
      {presence.who === "assistant" && (
        <button id="human" type="button" className="quiet wide-label" onClick={() => chat.askForPerson()}>
          <Icon name="person" />
          <span>{texts.talkToPerson}</span>
        </button>
      )}
      <Menu label={texts.menu}>
        <button id="save-text" type="button" onClick={() => onTranscript("text")}>
          {texts.downloadText}
        </button>
        <button id="save-page" type="button" onClick={() => onTranscript("page")}>
          {texts.downloadPage}
        </button>
        {isOpen && (
          <button id="end" type="button" className="danger" onClick={onEnd}>
            {texts.endChat}
          </button>
        )}
      </Menu>
      {onMinimise && (
        <button id="minimise" type="button" className="tool" aria-label={texts.minimise} onClick={onMinimise}>
          <Icon name="close" />
        </button>
      )}
    </header>
  );
}
