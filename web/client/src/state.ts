// From the parts of a chat to what its page sees. Pure.

import type { ChatState, ConnectionState, Problem, TurnState } from "./chat.ts";
import type { LinkStatus } from "./connection.ts";
import type { ConversationState } from "./conversation.ts";
import type { Outbox } from "./outbox.ts";
import type { TimelineItem, TimelineSource } from "./timeline.ts";

/** What a state is derived from. */
export interface StateParts {
  readonly link: LinkStatus;
  readonly isOffline: boolean;
  readonly isRestored: boolean;
  readonly conversation: ConversationState | null;
  readonly outbox: Outbox;
  readonly participant: string | null;
  readonly maxMessageBytes: number;
  readonly isLoadingOlder: boolean;
  readonly problem: Problem | null;
}

/** The state of the page; `timeline` remembers what it gave before. */
export function chatState(parts: StateParts, timeline: (source: TimelineSource) => readonly TimelineItem[]): ChatState {
  const { outbox, participant } = parts;
  const conversation = parts.conversation?.historyEpoch ? parts.conversation : null;
  return {
    connection: connectionState(parts),
    conversation,
    timeline: timeline({ conversation, outbox, participant }),
    turn: turnState(conversation),
    control: conversation?.control ?? null,
    agentName: agentName(conversation),
    queuePosition: conversation?.queuePosition ?? null,
    typing: typing(conversation, participant),
    limits: { maxMessageBytes: parts.maxMessageBytes },
    participant,
    hasOlder: conversation?.hasOlder ?? false,
    loadingOlder: parts.isLoadingOlder,
    rating: rating(conversation),
    problem: parts.problem,
  };
}

function connectionState({ link, isOffline, isRestored }: StateParts): ConnectionState {
  switch (link.status) {
    case "online":
      return { status: "online", restored: isRestored };
    case "connecting":
      return { status: isOffline ? "offline" : "connecting" };
    case "reconnecting":
      return isOffline ? { status: "offline" } : link;
    case "stopped":
      return { status: "stopped" };
    default:
      return link;
  }
}

function turnState(conversation: ConversationState | null): TurnState {
  const live = conversation?.live;
  if (!live) return { state: "idle" };
  return { state: live.text === "" ? "pending" : "streaming", turn: live.turn };
}

function agentName(conversation: ConversationState | null): string | null {
  if (conversation?.control?.state !== "agent") return null;
  const { id } = conversation.control;
  for (const entry of [...conversation.entries].reverse()) {
    if (entry.kind === "control_changed" && entry.by?.id === id && entry.by.name) return entry.by.name;
    if (entry.kind === "message_said" && entry.author.id === id && entry.author.name) return entry.author.name;
  }
  return null;
}

function typing(conversation: ConversationState | null, participant: string | null): ChatState["typing"] {
  const heard = conversation?.typing;
  if (!heard || heard.participant === participant) return null;
  return { role: heard.role, ...(heard.name && { name: heard.name }) };
}

function rating(conversation: ConversationState | null): ChatState["rating"] {
  const rated = conversation?.entries.filter((entry) => entry.kind === "rated" && !entry.reply).at(-1);
  return rated?.kind === "rated" ? rated.score : null;
}
