// Something that was asked for and is not done yet, or could not be done.

import type { Chat, CommandItem } from "@onya/client";
import type { ReactNode } from "react";
import { useTexts } from "../i18n/texts.ts";
import { RetryOrDiscard } from "./RetryOrDiscard.tsx";

// These show their progress where they were asked for.
const QUIET = new Set<CommandItem["command"]>(["stop", "rate"]);

/** A line about a command; nothing for those that show their progress elsewhere. */
export function Command({ chat, item }: { chat: Chat; item: CommandItem }): ReactNode {
  const texts = useTexts();
  const what = texts.command[item.command];
  if (item.state === "sending") {
    if (QUIET.has(item.command)) return null;
    return (
      <li className="item command" data-key={item.key} data-command={item.command} data-state="sending">
        {what}…
      </li>
    );
  }
  return (
    <li className="item command" data-key={item.key} data-command={item.command} data-state="failed">
      <span>{texts.commandFailed(what)}</span>
      <RetryOrDiscard chat={chat} id={item.id} failure={item.failure} />
    </li>
  );
}
