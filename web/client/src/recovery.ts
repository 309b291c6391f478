// What becomes of messages when the log under them is another one. Pure.

import type { ConversationState } from "./conversation.ts";
import type { Command } from "./frames.ts";
import type { LogEntry, Refusal } from "./generated/protocol.ts";
import { allFailed, type Outbox } from "./outbox.ts";

const MAX_OFFERED_AGAIN = 50;
const NOT_SENT: Refusal = { code: "unknown", message: "It was not sent before the conversation ended." };

/** Whether an entry can answer for a command of this participant. */
export function isMine(entry: LogEntry, participant: string | null): boolean {
  return entry.kind !== "message_said" || entry.author.id === participant;
}

/**
 * The participant's messages that a restored log may lack: those after the newest one that it still has. What it has
 * all the same is recognised by its name.
 */
export function messagesToOfferAgain(
  before: ConversationState,
  now: ConversationState,
  participant: string | null,
): { frame: Command; at: number }[] {
  const held = new Set(now.entries.map(({ client_msg_id }) => client_msg_id));
  const mine = before.entries.flatMap((entry) => {
    if (entry.kind !== "message_said" || entry.erased || !entry.client_msg_id || !isMine(entry, participant)) return [];
    const frame: Command = { type: "say", client_msg_id: entry.client_msg_id, text: entry.text };
    return [{ frame, at: entry.at }];
  });
  const lastHeld = mine.map(({ frame }) => held.has(frame.client_msg_id)).lastIndexOf(true);
  return mine.slice(lastHeld + 1).slice(-MAX_OFFERED_AGAIN);
}

/** What was not sent to another conversation: its messages can be sent in this one, if somebody wants that. */
export function leftBehind(outbox: Outbox): Outbox {
  const messages = outbox.filter(({ frame, state }) => frame.type === "say" && state !== "stored");
  return allFailed(
    messages.map((item) => ({ ...item, state: "waiting", cursor: 0 })),
    NOT_SENT,
  );
}
