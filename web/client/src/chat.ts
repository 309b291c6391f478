// What a page works with: options, the chat itself and its state. `createChat` (create-chat.ts) makes one.

import type { ConversationState } from "./conversation.ts";
import type { LockRequests } from "./exclusion.ts";
import type { Control, ErrorCode, LogEntry, Role, Score } from "./generated/protocol.ts";
import type { WebSocketConstructor } from "./link.ts";
import type { ChatStorage } from "./storage.ts";
import type { TimelineItem } from "./timeline.ts";

/** How to reach a server, and as whom. */
export interface ChatOptions {
  /** Address of the server, for example "https://chat.example.com". In a browser, the page's own origin if absent. */
  readonly url?: string;
  /**
   * Where signed tokens of a known customer come from; called again when one is about to end or was refused as expired.
   * Without it: an anonymous visitor, kept in `storage`.
   */
  readonly identity?: () => Promise<string>;
  /** A BCP 47 tag, for the notices of the server. The browser's language if absent. */
  readonly language?: string;
  /** `localStorage` if absent, or memory where that cannot be used. */
  readonly storage?: ChatStorage;
  /** How tabs keep out of each other's way. The browser's Web Locks if absent; null: do without. */
  readonly locks?: LockRequests | null;
  /** For Node: `WebSocket` of the package `ws`. */
  readonly webSocket?: WebSocketConstructor;
  readonly fetch?: typeof fetch;
  /** Numbers in [0, 1), for the jitter of pauses. */
  readonly random?: () => number;
}

/** One customer's conversation, live. */
export interface Chat {
  /** Immutable: a new object whenever anything in it has changed. */
  readonly state: ChatState;
  /** Calls back after changes, many of which may come together. Returns how to end that. */
  subscribe(listener: () => void): () => void;
  /** Connects and stays connected; while the next attempt is waited for, it is made now. */
  start(): void;
  /** Closes the socket and forgets nothing. */
  stop(): void;
  /** Says something. Returns its `client_msg_id`. */
  say(text: string, options?: SayOptions): string;
  /** Ends the reply in progress, if there is one. */
  stopReply(): void;
  /** Answers the same question again; `reply` is the `seq` of the reply, the newest if absent. */
  regenerate(reply?: number): void;
  /** Judges a reply by its `seq`, or the conversation. */
  rate(score: Score, options?: RateOptions): void;
  askForPerson(summary?: string): void;
  /** Leaves the queue. */
  backToAssistant(): void;
  closeConversation(): void;
  /** After the conversation was closed: opens another one. A failure is in `state.problem`. */
  startAnew(): Promise<void>;
  /** Sends a command that has failed again. */
  retry(id: string): void;
  /** Forgets a command that has failed. */
  discard(id: string): void;
  /** Whether somebody is writing; may be called at every key. */
  typing(active: boolean): void;
  /** Loads a page of older entries. A failure is in `state.problem`. */
  loadOlder(): Promise<void>;
  /** The whole log from the server. Rejects if it cannot be had. */
  transcript(): Promise<LogEntry[]>;
  /** Stops, and drops the visitor's token and everything kept in storage. */
  forget(): Promise<void>;
}

/** How to say something. */
export interface SayOptions {
  /** What happens to a reply in progress: `queue` (default) answers after it, `interrupt` ends it and answers at once. */
  readonly overlap?: "queue" | "interrupt";
}

/** What is judged, and why. */
export interface RateOptions {
  /** The `seq` of a reply; the conversation if absent. */
  readonly reply?: number;
  readonly comment?: string;
}

/** Everything that a page shows. */
export interface ChatState {
  readonly connection: ConnectionState;
  /** The reducer's state; null until the first `synced`. */
  readonly conversation: ConversationState | null;
  /** What to show, oldest first. Items are the same objects while they are unchanged. */
  readonly timeline: readonly TimelineItem[];
  readonly turn: TurnState;
  readonly control: Control | null;
  readonly agentName: string | null;
  readonly queuePosition: number | null;
  /** Who else is writing; forgotten after 6 s. */
  readonly typing: { readonly role: Role; readonly name?: string } | null;
  readonly limits: { readonly maxMessageBytes: number };
  readonly participant: string | null;
  readonly hasOlder: boolean;
  readonly loadingOlder: boolean;
  /** The verdict on the conversation as a whole. */
  readonly rating: Score | null;
  /** The last refusal or failure that belongs to no item of the timeline. */
  readonly problem: Problem | null;
}

/** The reply that is owed. */
export type TurnState = { readonly state: "idle" } | { readonly state: "pending" | "streaming"; readonly turn: number };

/** What stands between here and the server. */
export type ConnectionState =
  | { readonly status: "connecting" | "offline" | "stopped" }
  /** `restored`: came back after a loss, true for 3 s. */
  | { readonly status: "online"; readonly restored: boolean }
  /** `retryAt`: in ms since 1970. */
  | { readonly status: "reconnecting"; readonly attempt: number; readonly retryAt: number }
  /** A final close code; `start` tries once more. */
  | { readonly status: "ended"; readonly code: number; readonly reason: string };

/** Why something did not work. `unreachable`: no server answered; `identity_failed`: the page had no token. */
export interface Problem {
  readonly code: ErrorCode | "unreachable" | "identity_failed" | "storage_failed";
  /** For people; it may change. */
  readonly message: string;
}
