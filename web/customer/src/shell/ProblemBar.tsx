// The last refusal that belongs to nothing in the timeline, until it is dismissed.

import type { ChatState } from "@onya/client";
import { type ReactNode, useState } from "react";
import { useTexts } from "../i18n/texts.ts";
import { Icon } from "./Icon.tsx";
import { refusalText } from "./refusal.ts";

/** Shows a problem once. */
export function ProblemBar({ problem }: { problem: ChatState["problem"] }): ReactNode {
  const texts = useTexts();
  const [dismissed, setDismissed] = useState<ChatState["problem"]>(null);
  // That the server cannot be reached is said by the connection bar.
  if (problem === null || problem === dismissed || problem.code === "unreachable") return null;
  return (
    <div id="problem" className="banner" data-kind="bad" role="alert">
      <span>{refusalText(problem, texts)}</span>
      <button type="button" className="tool" aria-label={texts.dismiss} onClick={() => setDismissed(problem)}>
        <Icon name="close" />
      </button>
    </div>
  );
}
