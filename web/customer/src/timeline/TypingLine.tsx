// That a person is writing.

import type { ReactNode } from "react";
import { useTexts } from "../i18n/texts.ts";
import { shownName } from "../shell/presence.ts";

/** A line that comes and goes. */
export function TypingLine({ name }: { name: string | null }): ReactNode {
  const texts = useTexts();
  return (
    <p id="typing" className="typing">
      <span className="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      {texts.typing(shownName(name))}
    </p>
  );
}
