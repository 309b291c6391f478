// @onya/client: a conversation with an Onya server that survives every reconnect. README.md has an example.

export type {
  Chat,
  ChatOptions,
  ChatState,
  ConnectionState,
  Problem,
  RateOptions,
  SayOptions,
  TurnState,
} from "./chat.ts";
export { apply, type ConversationState, cursorOf, emptyConversation, prependOlder } from "./conversation.ts";
export { createChat } from "./create-chat.ts";
export type { Command, EntryOf, FrameOf } from "./frames.ts";
export type {
  Author,
  Cause,
  Control,
  Cursor,
  CustomerFrame,
  ErrorCode,
  Failure,
  LogEntry,
  Outcome,
  Role,
  Score,
  ServerFrame,
} from "./generated/protocol.ts";
export { ApiError } from "./http.ts";
export type { WebSocketConstructor, WebSocketLike } from "./link.ts";
export type { LiveReply } from "./reply.ts";
export { type ChatStorage, memoryStorage } from "./storage.ts";
export type {
  CommandItem,
  ErasedItem,
  ItemFailure,
  MessageItem,
  NoticeItem,
  ReplyItem,
  TimelineItem,
} from "./timeline.ts";
