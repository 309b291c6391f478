// What is shown before anything was said.

import type { ReactNode } from "react";
import { useTexts } from "../i18n/texts.ts";

/** A greeting and a few ways to begin. */
export function Welcome({ onSay }: { onSay: (text: string) => void }): ReactNode {
  const texts = useTexts();
  return (
    <section id="welcome" className="welcome">
      <span className="mark large" aria-hidden="true" />
      <h2>{texts.welcome}</h2>
      <p>{texts.welcomeExplained}</p>
      <div className="starters">
        {texts.starters.map((starter) => (
          <button key={starter} type="button" className="quiet" onClick={() => onSay(starter)}>
            {starter}
          </button>
        ))}
      </div>
    </section>
  );
}
