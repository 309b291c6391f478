// Generated from docs/schema by `npm run generate -w client`. Do not edit.

/** A command is stored. */
export type Ack = {
  /** The sender's name for the command. */
  client_msg_id: ClientMsgId;
  /** The conversation. */
  conversation: string;
  /** Where the reply in progress was cut, in bytes of UTF-8, if the command cut one. */
  cut_at?: number | null;
  /** Whether it had been stored before. */
  repeated?: boolean;
  /** The entry that answers for it. */
  seq: number;
};

/** Who wrote something. */
export type Author = {
  /** The participant. */
  id: string;
  /** The name to show. */
  name?: string | null;
  /** In which role. */
  role: Role;
};

/** Why control changed. */
export type Cause =
  /** A person is asked for. */
  | "escalated"
  /** An agent took the conversation from the queue. */
  | "claimed"
  /** An agent took it from the assistant, or a supervisor from an agent. */
  | "taken_over"
  /** The person returned it. */
  | "handed_back"
  /** The customer left the queue. */
  | "assistant_chosen"
  /** Somebody closed it. */
  | "closed"
  /** Nothing was said for too long. */
  | "idled_out";

/** The sender's name for a command: printable ASCII without spaces. */
export type ClientMsgId = string;

/** Who answers the customer. */
export type Control =
  /** The model. */
  | {
    state: "assistant";
  }
  /** Nobody yet. */
  | {
    state: "queue";
  }
  /** A person. */
  | {
    /** Which. */
    id: string;
    state: "agent";
  }
  /** The conversation is over. */
  | {
    state: "closed";
  };

/** Where a reader's copy of the log ends. */
export type Cursor = {
  /** The history that `seq` counts in: changes when the store was restored from a backup. */
  history_epoch: string;
  /** The newest position that the reader has seen. */
  seq: number;
};

/** What a customer sends. Fields that the server does not know are ignored. */
export type CustomerFrame =
  /** The first frame of a socket. */
  | {
    /** Where the client's copy of the log ends; absent if it has none. */
    cursor?: Cursor | null;
    /** The token, unless the `Authorization` header of the upgrade brought it. */
    token?: string | null;
    type: "hello";
    /** The protocol versions that the client speaks. */
    versions: readonly number[];
  }
  /** Say something. */
  | {
    /** The sender's newest earlier command without an outcome. */
    after?: ClientMsgId | null;
    /** Not served: anything but an empty list is refused with `unsupported`. */
    attachments?: readonly unknown[];
    /** The sender's name for this command: 1 to 64 printable ASCII characters. */
    client_msg_id: ClientMsgId;
    /** What happens to a reply in progress: `queue` (default) or `interrupt`. */
    overlap?: Overlap;
    /** The message. */
    text: string;
    /** W3C trace context to continue. */
    traceparent?: string | null;
    type: "say";
  }
  /** End the reply in progress where it is. */
  | {
    /** The sender's newest earlier command without an outcome. */
    after?: ClientMsgId | null;
    /** The sender's name for this command. */
    client_msg_id: ClientMsgId;
    /** The turn meant; any open one if absent. */
    turn?: number | null;
    type: "stop";
  }
  /** Answer the same question again. */
  | {
    /** The sender's newest earlier command without an outcome. */
    after?: ClientMsgId | null;
    /** The sender's name for this command. */
    client_msg_id: ClientMsgId;
    /** The `turn_ended` entry that is replaced; the newest if absent. */
    reply?: number | null;
    type: "regenerate";
  }
  /** Judge a reply or, without `reply`, the conversation. */
  | {
    /** The sender's newest earlier command without an outcome. */
    after?: ClientMsgId | null;
    /** The sender's name for this command. */
    client_msg_id: ClientMsgId;
    /** In the customer's words. */
    comment?: string | null;
    /** The `turn_ended` entry that is judged. */
    reply?: number | null;
    /** `up` or `down`. */
    score: Score;
    type: "rate";
  }
  /** Ask for a person. */
  | {
    /** The sender's newest earlier command without an outcome. */
    after?: ClientMsgId | null;
    /** The sender's name for this command. */
    client_msg_id: ClientMsgId;
    /** What the person should know. */
    summary?: string | null;
    type: "escalate";
  }
  /** Leave the queue and go on with the assistant. */
  | {
    /** The sender's newest earlier command without an outcome. */
    after?: ClientMsgId | null;
    /** The sender's name for this command. */
    client_msg_id: ClientMsgId;
    /** The version of control that the sender has seen. */
    control_version: number;
    type: "hand_back";
  }
  /** End the conversation. */
  | {
    /** The sender's newest earlier command without an outcome. */
    after?: ClientMsgId | null;
    /** The sender's name for this command. */
    client_msg_id: ClientMsgId;
    type: "close";
  }
  /** The customer is writing, or stopped. */
  | {
    /** Whether. */
    active: boolean;
    type: "typing";
  }
  /** Synchronise again on this socket, after a gap was seen. */
  | {
    /** Where the client's copy of the log ends. */
    cursor: Cursor;
    type: "resume";
  }
  /** Answered with `pong`. */
  | {
    type: "ping";
  }
  /** The answer to the server's `ping`. */
  | {
    type: "pong";
  };

/** More of the reply in progress. */
export type Delta = {
  /** The attempt: a higher one starts from empty text. */
  attempt: number;
  /** The conversation. */
  conversation: string;
  /** The owner's epoch: a higher one starts from empty text. */
  epoch: number;
  /** Where `text` starts in the reply, in bytes of UTF-8. */
  offset: number;
  /** The text. */
  text: string;
  /** The turn. */
  turn: number;
};

/** Why something is refused. The code is stable; the message beside it is for people and may change. */
export type ErrorCode =
  /** The frame or the request is malformed, or a field has a value that it cannot have. */
  | "bad_request"
  /** None of the offered protocol versions is served. */
  | "unsupported_version"
  /** The feature exists nowhere in this server, attachments for example. */
  | "unsupported"
  /** The token is missing, forged, malformed or of another issuer. */
  | "unauthenticated"
  /** The token was good and has expired: get a new one. */
  | "token_expired"
  /** The role, or the page the request comes from, may not do this. */
  | "forbidden"
  /** There is no such conversation for this participant. */
  | "not_found"
  /** The message or frame is longer than allowed. */
  | "too_large"
  /** The `client_msg_id` was used for another command. */
  | "id_conflict"
  /** The command named in `after` is not stored: send that one first. */
  | "out_of_order"
  /** Control is not what the sender has seen; the current version comes with the refusal. */
  | "control_changed"
  /** The conversation is closed. */
  | "closed"
  /** There is nothing that the command could act on. */
  | "nothing_to_do"
  /** The customer is on legal hold: nothing of theirs is erased until it is lifted. */
  | "on_hold"
  /** The conversation has reached its length limit. */
  | "full"
  /** Too much at once, or storage cannot take more now: nothing was stored, send it again after `retry_after_ms`. */
  | "busy"
  /** The outcome is not known: send it again with the same `client_msg_id` to find out. */
  | "unknown"
  /** A fault of the server. */
  | "internal";

/** What led to asking for a person. */
export type EscalationReason = "customer_asked" | "assistant_asked" | "reply_failed" | "quarantined" | "agent_returned";

/** Why a turn failed. */
export type Failure = "model_unavailable" | "reply_cut" | "reply_too_long" | "content_refused" | "timed_out" | "attempts_exhausted" | "quarantined";

/** A reply in progress: its text so far replaces what the client holds of it; deltas continue at its end. */
export type LiveTurn = {
  /** The attempt. */
  attempt: number;
  /** The owner's epoch. */
  epoch: number;
  /** The text so far. */
  text: string;
  /** The turn. */
  turn: number;
};

/** One entry in one view. Entries are in order when `prev` is at or below the reader's cursor. */
export type LogEntry = {
  /** When it was decided, in ms since 1970. */
  at: number;
  /** The sender's name for the command it answers for. */
  client_msg_id?: ClientMsgId | null;
  /** Whether what people said here was erased; the texts are empty then. Absent: no. */
  erased?: boolean;
  /** Position of the entry before it in this view; 0 if there is none. */
  prev: number;
  /** Position in the log. */
  seq: number;
} & (
  /** The conversation began. */
  | {
    kind: "opened";
    /** The customer's language, a BCP 47 tag. */
    language: string;
  }
  /** Somebody said something. */
  | {
    /** Who. */
    author: Author;
    kind: "message_said";
    /** What. */
    text: string;
  }
  /** The assistant owes an answer and is asked for it; this entry's `seq` names the turn. */
  | {
    /** The newest customer message that it answers. */
    answers: number;
    kind: "turn_opened";
    /** The `turn_ended` entry whose reply this turn replaces. */
    replaces?: number | null;
  }
  /** A later attempt begins; earlier text of the turn is withdrawn. Staff only. */
  | {
    /** 2, 3 … */
    attempt: number;
    kind: "attempt_started";
    /** The turn. */
    turn: number;
  }
  /** The turn is over; the text is the committed reply. */
  | {
    /** Why, if it failed. */
    failure?: Failure | null;
    kind: "turn_ended";
    /** How. */
    outcome: Outcome;
    /** The whole reply, or as much of it as had been shown. */
    text: string;
    /** The turn. */
    turn: number;
  }
  /** Somebody else answers from here on. */
  | {
    /** The stretch that begins, with an agent. Staff only. */
    assignment?: string | null;
    /** Who did it; absent if it was the server. */
    by?: Author | null;
    /** Why. */
    cause: Cause;
    /** Who answers now. */
    control: Control;
    /** Number of changes so far. */
    control_version: number;
    kind: "control_changed";
    /** What to tell the customer, in the customer's language. */
    notice?: string | null;
    /** How urgent it is. Staff only. */
    priority?: Priority | null;
    /** What led to asking for a person. Staff only. */
    reason?: EscalationReason | null;
    /** What the person should know. Staff only. */
    summary?: string | null;
  }
  /** The customer judged a reply or the conversation. */
  | {
    /** In the customer's words. */
    comment?: string | null;
    kind: "rated";
    /** The `turn_ended` entry that is judged; absent for the conversation. */
    reply?: number | null;
    /** The verdict. */
    score: Score;
  }
  /** The server tells the customer something. */
  | {
    kind: "notice_posted";
    /** Its text, in the customer's language. */
    notice: string;
    /** Which notice. */
    notice_key: Notice;
  }
  /** What people said in this conversation was erased: show none of the earlier texts any more. The last entry. */
  | {
    /** Who asked for it; absent if the time for which it is kept was over. Staff only. */
    by?: Author | null;
    kind: "erased";
  });

/** Why entries could not be continued from the cursor. */
export type NotRecovered =
  /** The client sent no cursor. */
  | "new"
  /** The cursor is ahead of the log. */
  | "future"
  /** The cursor belongs to another history. */
  | "other_epoch"
  /** Too much was missed to send it in one go. */
  | "too_old";

/** A notice of the server to the customer. */
export type Notice = "still_waiting";

/** How a turn ended. */
export type Outcome = "final" | "stopped" | "failed" | "superseded" | "taken_over" | "escalated" | "closed";

/** What a new customer message does to a reply in progress. */
export type Overlap = "queue" | "interrupt";

/** Where the log of a conversation stands for a reader. */
export type Position = {
  /** The conversation. */
  conversation: string;
  /** The newest position. */
  seq: number;
};

/** How urgently a person is needed. */
export type Priority = "low" | "normal" | "high";

/** A customer who waits. */
export type QueueEntry = {
  /** The version to claim it with. */
  control_version: number;
  /** The conversation. */
  conversation: string;
  /** How urgent it is. */
  priority: Priority;
  /** What led to it. */
  reason: EscalationReason;
  /** Since when, in ms since 1970. */
  since: number;
  /** What the person should know. */
  summary?: string | null;
};

/** A command or a frame is refused. */
export type Refusal = {
  /** The sender's name for the command, if it had one. */
  client_msg_id?: ClientMsgId | null;
  /** Why. */
  code: ErrorCode;
  /** The version of control now, with `control_changed`. */
  control_version?: number | null;
  /** The conversation, if it is known. */
  conversation?: string | null;
  /** Why, for people. */
  message: string;
  /** When to try again, in ms from now. */
  retry_after_ms?: number | null;
  /** Where the first command with this id stands, with `id_conflict`. */
  seq?: number | null;
};

/** The text of a turn so far is withdrawn. */
export type Reset = {
  /** The attempt that begins. */
  attempt: number;
  /** The conversation. */
  conversation: string;
  /** The owner's epoch. */
  epoch: number;
  /** The turn. */
  turn: number;
};

/** Where a person returns a conversation to. */
export type ReturnTo = "assistant" | "queue";

/** In which role somebody takes part. */
export type Role = "customer" | "agent" | "supervisor";

/** A verdict. */
export type Score = "up" | "down";

/** What the server sends. */
export type ServerFrame =
  /** The answer to the client's `hello`. */
  | {
    /** The longest message, in bytes of UTF-8. */
    max_message_bytes: number;
    /** Who the token says the client is. */
    participant: string;
    /** How often the server pings, in ms. */
    ping_interval_ms: number;
    /** How long a `pong` may take, in ms. */
    pong_timeout_ms: number;
    /** Its role. */
    role: Role;
    type: "hello";
    /** The protocol version of this socket. */
    version: number;
  }
  /** Where the conversation stands: what was missed, or a fresh start. */
  | Synced & {
    type: "synced";
  }
  /** Committed: an entry of the log. */
  | {
    /** When it was decided, in ms since 1970. */
    at: number;
    /** The sender's name for the command it answers for. */
    client_msg_id?: ClientMsgId | null;
    /** The conversation. */
    conversation: string;
    /** Whether what people said here was erased; the texts are empty then. Absent: no. */
    erased?: boolean;
    /** Position of the entry before it in this view; 0 if there is none. */
    prev: number;
    /** Position in the log. */
    seq: number;
    type: "entry";
  } & (
    /** The conversation began. */
    | {
      kind: "opened";
      /** The customer's language, a BCP 47 tag. */
      language: string;
    }
    /** Somebody said something. */
    | {
      /** Who. */
      author: Author;
      kind: "message_said";
      /** What. */
      text: string;
    }
    /** The assistant owes an answer and is asked for it; this entry's `seq` names the turn. */
    | {
      /** The newest customer message that it answers. */
      answers: number;
      kind: "turn_opened";
      /** The `turn_ended` entry whose reply this turn replaces. */
      replaces?: number | null;
    }
    /** A later attempt begins; earlier text of the turn is withdrawn. Staff only. */
    | {
      /** 2, 3 … */
      attempt: number;
      kind: "attempt_started";
      /** The turn. */
      turn: number;
    }
    /** The turn is over; the text is the committed reply. */
    | {
      /** Why, if it failed. */
      failure?: Failure | null;
      kind: "turn_ended";
      /** How. */
      outcome: Outcome;
      /** The whole reply, or as much of it as had been shown. */
      text: string;
      /** The turn. */
      turn: number;
    }
    /** Somebody else answers from here on. */
    | {
      /** The stretch that begins, with an agent. Staff only. */
      assignment?: string | null;
      /** Who did it; absent if it was the server. */
      by?: Author | null;
      /** Why. */
      cause: Cause;
      /** Who answers now. */
      control: Control;
      /** Number of changes so far. */
      control_version: number;
      kind: "control_changed";
      /** What to tell the customer, in the customer's language. */
      notice?: string | null;
      /** How urgent it is. Staff only. */
      priority?: Priority | null;
      /** What led to asking for a person. Staff only. */
      reason?: EscalationReason | null;
      /** What the person should know. Staff only. */
      summary?: string | null;
    }
    /** The customer judged a reply or the conversation. */
    | {
      /** In the customer's words. */
      comment?: string | null;
      kind: "rated";
      /** The `turn_ended` entry that is judged; absent for the conversation. */
      reply?: number | null;
      /** The verdict. */
      score: Score;
    }
    /** The server tells the customer something. */
    | {
      kind: "notice_posted";
      /** Its text, in the customer's language. */
      notice: string;
      /** Which notice. */
      notice_key: Notice;
    }
    /** What people said in this conversation was erased: show none of the earlier texts any more. The last entry. */
    | {
      /** Who asked for it; absent if the time for which it is kept was over. Staff only. */
      by?: Author | null;
      kind: "erased";
    })
  /** Provisional: more of the reply in progress. */
  | Delta & {
    type: "delta";
  }
  /** Provisional: the text of the turn so far is withdrawn, a new attempt begins. */
  | Reset & {
    type: "reset";
  }
  /** The command is stored. */
  | Ack & {
    type: "ack";
  }
  /** The command, or the frame, is refused and nothing was stored. */
  | Refusal & {
    type: "refused";
  }
  /** Provisional: somebody is writing, or stopped. */
  | Typing & {
    type: "typing";
  }
  /** Staff only, provisional: everybody who waits, first to be served first. */
  | {
    /** Who waits; the first 200 of them. */
    entries: readonly QueueEntry[];
    type: "queue";
    /** How many wait. */
    waiting: number;
  }
  /** Provisional: the customer's place in the queue. */
  | {
    /** The conversation. */
    conversation: string;
    /** From 1. */
    position: number;
    type: "queue_position";
  }
  /** The server asks for a sign of life: answer with `pong`. Moves the cursors of the conversations named. */
  | {
    /** Where the log stands for each conversation of this socket. */
    positions: readonly Position[];
    type: "ping";
  }
  /** The answer to the client's `ping`. */
  | {
    type: "pong";
  }
  /** This socket will be closed: open a new one after `retry_after_ms`, then close this one. */
  | {
    /** When to connect again, in ms from now. */
    retry_after_ms: number;
    type: "goaway";
  };

/** What an agent or a supervisor sends. Fields that the server does not know are ignored. */
export type StaffFrame =
  /** The first frame of a socket. */
  | {
    /** The token, unless the `Authorization` header of the upgrade brought it. */
    token?: string | null;
    type: "hello";
    /** The protocol versions that the client speaks. */
    versions: readonly number[];
  }
  /** Follow a conversation, or synchronise it again. */
  | {
    /** The conversation. */
    conversation: string;
    /** Where the client's copy of the log ends; absent if it has none. */
    cursor?: Cursor | null;
    type: "watch";
  }
  /** Follow it no longer. */
  | {
    /** The conversation. */
    conversation: string;
    type: "unwatch";
  }
  /** Take a conversation from the queue. */
  | {
    /** The sender's name for this command. */
    client_msg_id: ClientMsgId;
    /** The version of control that the sender has seen. */
    control_version: number;
    /** The conversation. */
    conversation: string;
    type: "claim";
  }
  /** Take a conversation from the assistant or, as a supervisor, from an agent. */
  | {
    /** The sender's name for this command. */
    client_msg_id: ClientMsgId;
    /** The version of control that the sender has seen. */
    control_version: number;
    /** The conversation. */
    conversation: string;
    type: "take_over";
  }
  /** Return a conversation. */
  | {
    /** The sender's name for this command. */
    client_msg_id: ClientMsgId;
    /** The version of control that the sender has seen. */
    control_version: number;
    /** The conversation. */
    conversation: string;
    /** To whom: `assistant` (default) or `queue`. */
    to?: ReturnTo;
    type: "hand_back";
  }
  /** Say something to the customer. */
  | {
    /** The sender's newest earlier command without an outcome. */
    after?: ClientMsgId | null;
    /** The sender's name for this command. */
    client_msg_id: ClientMsgId;
    /** The conversation. */
    conversation: string;
    /** The message. */
    text: string;
    /** W3C trace context to continue. */
    traceparent?: string | null;
    type: "say";
  }
  /** End the conversation. */
  | {
    /** The sender's name for this command. */
    client_msg_id: ClientMsgId;
    /** The version of control that the sender has seen. */
    control_version: number;
    /** The conversation. */
    conversation: string;
    type: "close";
  }
  /** The agent is writing, or stopped. */
  | {
    /** Whether. */
    active: boolean;
    /** The conversation. */
    conversation: string;
    type: "typing";
  }
  /** Answered with `pong`. */
  | {
    type: "ping";
  }
  /** The answer to the server's `ping`. */
  | {
    type: "pong";
  };

/**
 * Where a conversation stands.
 *
 * With `recovered: true`, `entries` are those after the cursor: apply them in one go. With `recovered: false`,
 * `entries` are the newest visible ones and replace everything the client had; older ones are paged over HTTP.
 */
export type Synced = {
  /** Who answers. */
  control: Control;
  /** Number of changes of control. */
  control_version: number;
  /** The conversation. */
  conversation: string;
  /** What was missed, or the newest entries; oldest first. */
  entries: readonly LogEntry[];
  /** Whether there are visible entries before the first one of `entries`; only with `recovered: false`. */
  has_older: boolean;
  /** The history that positions count in. */
  history_epoch: string;
  /** The cursor after this frame. */
  position: number;
  /** Why not. */
  reason?: NotRecovered | null;
  /** Whether `entries` continue the client's copy. */
  recovered: boolean;
  /** The reply in progress; absent if no turn is open. */
  turn?: LiveTurn | null;
};

/** Somebody is writing, or stopped. */
export type Typing = {
  /** Whether. */
  active: boolean;
  /** The conversation. */
  conversation: string;
  /** The name to show. */
  name?: string | null;
  /** Who. */
  participant: string;
  /** In which role. */
  role: Role;
};
