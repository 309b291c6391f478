// That a person was asked for, and where one stands.

import type { Chat } from "@onya/client";
import type { ReactNode } from "react";
import { useTexts } from "../i18n/texts.ts";
import { waitingText } from "../shell/presence.ts";

/** The card at the end of the timeline while the customer waits. */
export function Queue({ chat, position }: { chat: Chat; position: number | null }): ReactNode {
  const texts = useTexts();
  return (
    <section id="queue" className="card queue" data-position={position ?? undefined}>
      <h2>{texts.queueTitle}</h2>
      <p className="place">{waitingText(position, texts)}</p>
      <p>{texts.queueExplained}</p>
      <button id="assistant" type="button" className="quiet" onClick={() => chat.backToAssistant()}>
        {texts.backToAssistant}
      </button>
    </section>
  );
}
