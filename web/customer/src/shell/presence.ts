// Who answers, in a word and in a sentence.

import type { ChatState } from "@onya/client";
import type { Texts } from "../i18n/en.ts";
import { showDirectionControls } from "../markdown/bidi.ts";

/** Who answers: the word chooses the colour, the sentence is shown. */
export interface Presence {
  who: "nobody" | "assistant" | "queue" | "agent" | "closed";
  text: string;
}

/** Who answers by the newest state. */
export function presenceOf(state: ChatState, texts: Texts): Presence {
  switch (state.control?.state) {
    case undefined:
      return { who: "nobody", text: state.connection.status === "ended" ? texts.stopped : texts.connecting };
    case "assistant":
      return { who: "assistant", text: texts.assistantAnswers };
    case "queue":
      return { who: "queue", text: waitingText(state.queuePosition, texts) };
    case "agent":
      return { who: "agent", text: texts.agentAnswers(shownName(state.agentName)) };
    case "closed":
      return { who: "closed", text: texts.conversationClosed };
  }
}

/** Where one stands in the queue, as far as it is known. */
export function waitingText(position: number | null, texts: Texts): string {
  return position === null ? texts.waitingForPerson : texts.queuePosition(position);
}

/** A name that can stand in a line of ours: it reorders nothing around it. */
export function shownName(name: string | null | undefined): string | null {
  if (name === null || name === undefined || name.trim() === "") return null;
  return `\u2068${showDirectionControls(name)}\u2069`;
}
