// The end: how it was, and a new beginning.

import type { Chat, Score } from "@onya/client";
import { type ReactNode, useState } from "react";
import { useTexts } from "../i18n/texts.ts";
import { Icon } from "../shell/Icon.tsx";

const SCORES = ["up", "down"] as const;

interface ClosedProps {
  chat: Chat;
  rating: Score | null;
  /** What is erased is not judged any more. */
  canRate: boolean;
}

/** The card below a closed conversation. */
export function Closed({ chat, rating, canRate }: ClosedProps): ReactNode {
  const texts = useTexts();
  const [isBusy, setBusy] = useState(false);
  const rate = (chosen: Score) => {
    if (chosen === rating) return;
    chat.rate(chosen);
  };
  return (
    <section id="closed" className="card closed" tabIndex={-1} aria-labelledby="closed-title">
      <h2 id="closed-title">{texts.conversationClosed}</h2>
      {canRate && (
        <fieldset id="csat" className="csat">
          <legend>{texts.howWasIt}</legend>
          {SCORES.map((each) => (
            <button
              key={each}
              type="button"
              className="quiet"
              data-score={each}
              aria-pressed={rating === each}
              onClick={() => rate(each)}
            >
              <Icon name={each === "up" ? "up" : "bad"} />
              <span>{each === "up" ? texts.good : texts.bad}</span>
            </button>
          ))}
        </fieldset>
      )}
      <button
        id="again"
        type="button"
        className="primary"
        disabled={isBusy}
        onClick={() => {
          setBusy(true);
          void chat.startAnew().finally(() => setBusy(false));
        }}
      >
        {texts.startNew}
      </button>
    </section>
  );
}
