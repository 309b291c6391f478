// One conversation as a reader holds it, and the rules by which frames change it.
//
// Pure: `apply(state, frame)` returns the next state and touches nothing else; no socket, clock or storage. Committed
// entries follow the cursor. The reply in progress (`live`, reply.ts) is provisional: the entry that ends its turn
// replaces it. `needsResume` says that something is missing; whoever owns the socket then asks for it with `resume`.

import { withoutTexts } from "./erasure.ts";
import type { FrameOf } from "./frames.ts";
import type { Control, Cursor, LogEntry, Position, ServerFrame, Synced } from "./generated/protocol.ts";
import { emptyReply, type LiveReply, withDelta, withReset, withSyncedTurn } from "./reply.ts";

/** What a reader knows of a conversation. */
export interface ConversationState {
  readonly id: string;
  /** The history that positions count in; null before the first `synced`. */
  readonly historyEpoch: string | null;
  /** The newest position that was reached. */
  readonly cursor: number;
  /** Committed entries, oldest first; complete from the first one held. */
  readonly entries: readonly LogEntry[];
  /** Whether there are visible entries before the first one held. */
  readonly hasOlder: boolean;
  readonly control: Control | null;
  readonly controlVersion: number;
  /** The reply in progress. */
  readonly live: LiveReply | null;
  /** The newest turn that is known to be over. */
  readonly endedTurn: number;
  /** Who is writing, as last heard; it has to be forgotten after a while. */
  readonly typing: FrameOf<"typing"> | null;
  /** The place in the queue, from 1. */
  readonly queuePosition: number | null;
  /** What people said was erased; no entry holds a text. */
  readonly erased: boolean;
  /** Something is missing: synchronise again. */
  readonly needsResume: boolean;
}

/** What a reader holds before the first `synced`. */
export function emptyConversation(id: string): ConversationState {
  return {
    id,
    historyEpoch: null,
    cursor: 0,
    entries: [],
    hasOlder: false,
    control: null,
    controlVersion: 0,
    live: null,
    endedTurn: 0,
    typing: null,
    queuePosition: null,
    erased: false,
    needsResume: false,
  };
}

/** The cursor to send in `hello` or `resume`; undefined if there is none yet. */
export function cursorOf(state: ConversationState): Cursor | undefined {
  return state.historyEpoch === null ? undefined : { history_epoch: state.historyEpoch, seq: state.cursor };
}

/** The state after a frame. Frames of other conversations change nothing. */
export function apply(state: ConversationState, frame: ServerFrame): ConversationState {
  if (frame.type === "ping") return moveCursor(state, frame.positions);
  if (!("conversation" in frame) || frame.conversation !== state.id) return state;
  switch (frame.type) {
    case "synced":
      return applySynced(state, frame);
    case "entry":
      return takeEntry(state, entryOf(frame));
    case "delta":
      return applyDelta(state, frame);
    case "reset":
      return frame.turn <= state.endedTurn ? state : { ...state, live: withReset(state.live, frame) };
    case "typing":
      return applyTyping(state, frame);
    case "queue_position":
      return { ...state, queuePosition: frame.position };
    default:
      return state;
  }
}

/** Puts a page of older entries, oldest first, before those held. */
export function prependOlder(
  state: ConversationState,
  older: readonly LogEntry[],
  hasOlder: boolean,
): ConversationState {
  const first = state.entries[0]?.seq ?? Number.POSITIVE_INFINITY;
  const before = older.filter(({ seq }) => seq < first);
  // A page that was read before the erasure may come after it.
  if (state.erased) return { ...state, entries: [...before.map(withoutTexts), ...state.entries], hasOlder: false };
  return { ...state, entries: [...before, ...state.entries], hasOlder };
}

/** The same without who is writing. */
export function withoutTyping(state: ConversationState): ConversationState {
  return state.typing ? { ...state, typing: null } : state;
}

/** An entry without the envelope that brought it. */
function entryOf({ type: _type, conversation: _conversation, ...entry }: FrameOf<"entry">): LogEntry {
  return entry;
}

function moveCursor(state: ConversationState, positions: readonly Position[]): ConversationState {
  const position = positions.find(({ conversation }) => conversation === state.id);
  // While something is missing, jumping ahead would hide it for good.
  if (!position || state.needsResume || position.seq <= state.cursor) return state;
  return { ...state, cursor: position.seq };
}

function applySynced(state: ConversationState, frame: Synced): ConversationState {
  const base = frame.recovered
    ? { ...state, needsResume: false }
    : { ...emptyConversation(state.id), hasOlder: frame.has_older, cursor: frame.entries[0]?.prev ?? 0 };
  const caughtUp = frame.entries.reduce(takeEntry, base);
  if (caughtUp.needsResume) return caughtUp;
  // A replacement for a socket that went on meanwhile may tell of a moment before the cursor.
  const isBehind = frame.control_version < caughtUp.controlVersion;
  const control = isBehind ? caughtUp.control : frame.control;
  // Of the turns up to here, only the one that is sent along can still be open.
  const endedTurn = Math.max(caughtUp.endedTurn, frame.turn ? frame.turn.turn - 1 : frame.position);
  return {
    ...caughtUp,
    historyEpoch: frame.history_epoch,
    cursor: Math.max(caughtUp.cursor, frame.position),
    control,
    controlVersion: isBehind ? caughtUp.controlVersion : frame.control_version,
    queuePosition: control?.state === "queue" ? caughtUp.queuePosition : null,
    live: syncedReply(frame, frame.history_epoch === state.historyEpoch ? state.live : null, caughtUp.live, endedTurn),
    endedTurn,
  };
}

function syncedReply(
  frame: Synced,
  before: LiveReply | null,
  caughtUp: LiveReply | null,
  endedTurn: number,
): LiveReply | null {
  // Opened after the position that the frame speaks of.
  if (caughtUp && caughtUp.turn > Math.max(frame.position, endedTurn)) return caughtUp;
  return frame.turn && frame.turn.turn > endedTurn ? withSyncedTurn(before, frame.turn) : null;
}

function takeEntry(state: ConversationState, entry: LogEntry): ConversationState {
  if (entry.seq <= state.cursor) return state;
  if (entry.prev > state.cursor) return { ...state, needsResume: true };
  return fold({ ...state, cursor: entry.seq, entries: [...state.entries, entry] }, entry);
}

function fold(state: ConversationState, entry: LogEntry): ConversationState {
  switch (entry.kind) {
    case "message_said":
      return state.typing?.participant === entry.author.id ? withoutTyping(state) : state;
    case "turn_opened":
      if (state.live && state.live.turn >= entry.seq) return state;
      return { ...state, live: emptyReply({ turn: entry.seq, epoch: 0, attempt: 0 }) };
    case "attempt_started":
      return startAttempt(state, entry.turn, entry.attempt);
    case "turn_ended":
      return endTurn(state, entry.turn);
    case "control_changed":
      return {
        ...withoutTyping(state),
        control: entry.control,
        controlVersion: entry.control_version,
        queuePosition: entry.control.state === "queue" ? state.queuePosition : null,
      };
    case "erased":
      // There is nothing in older pages that could be shown.
      return { ...withoutTyping(state), erased: true, entries: state.entries.map(withoutTexts), hasOlder: false };
    default:
      return state;
  }
}

function startAttempt(state: ConversationState, turn: number, attempt: number): ConversationState {
  const { live } = state;
  if (!live || live.turn !== turn || live.attempt >= attempt) return state;
  return { ...state, live: emptyReply({ turn, epoch: live.epoch, attempt }) };
}

function endTurn(state: ConversationState, turn: number): ConversationState {
  const live = state.live && state.live.turn > turn ? state.live : null;
  return { ...state, live, endedTurn: Math.max(state.endedTurn, turn) };
}

function applyDelta(state: ConversationState, frame: FrameOf<"delta">): ConversationState {
  if (frame.turn <= state.endedTurn) return state;
  const { live, isMissing } = withDelta(state.live, frame);
  if (isMissing) return { ...state, live, needsResume: true };
  return live === state.live ? state : { ...state, live };
}

function applyTyping(state: ConversationState, frame: FrameOf<"typing">): ConversationState {
  if (frame.active) return { ...state, typing: frame };
  return state.typing?.participant === frame.participant ? withoutTyping(state) : state;
}
