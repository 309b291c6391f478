// A chat that stands still in one state, to see what the app says about it.

import type { Chat, ChatState, MessageItem, ReplyItem } from "@onya/client";

/** A state in which all is well and nothing was said, but for `what`. */
export function stateOf(what: Partial<ChatState> = {}): ChatState {
  return {
    connection: { status: "online", restored: false },
    conversation: null,
    timeline: [],
    turn: { state: "idle" },
    control: { state: "assistant" },
    agentName: null,
    queuePosition: null,
    typing: null,
    limits: { maxMessageBytes: 16_384 },
    participant: "c",
    hasOlder: false,
    loadingOlder: false,
    rating: null,
    problem: null,
    ...what,
  };
}

/** A chat in this state; what is asked of it has no effect. */
export function fakeChat(state: ChatState): Chat {
  const nothing = () => undefined;
  const later = async () => undefined;
  return {
    state,
    subscribe: () => nothing,
    start: nothing,
    stop: nothing,
    say: () => "id",
    stopReply: nothing,
    regenerate: nothing,
    rate: nothing,
    askForPerson: nothing,
    backToAssistant: nothing,
    closeConversation: nothing,
    startAnew: later,
    retry: nothing,
    discard: nothing,
    typing: nothing,
    loadOlder: later,
    transcript: async () => [],
    forget: later,
  };
}

/** A message of the customer's own. */
export function myMessage(what: Partial<MessageItem> = {}): MessageItem {
  const at = Date.now();
  return {
    kind: "message",
    key: "m",
    role: "customer",
    mine: true,
    text: "Hi",
    at,
    seq: 2,
    delivery: "durable",
    ...what,
  };
}

/** A reply of the assistant. */
export function reply(what: Partial<ReplyItem> = {}): ReplyItem {
  const at = Date.now();
  return {
    kind: "reply",
    key: "r",
    turn: 3,
    state: "ended",
    outcome: "final",
    text: "Ho",
    at,
    seq: 4,
    replaced: false,
    ...what,
  };
}
