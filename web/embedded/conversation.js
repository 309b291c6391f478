// One conversation as a reader holds it, and the rules by which frames change it.
//
// Pure: `apply(state, frame)` returns the next state and touches nothing else; no socket, clock or document.
// Committed entries follow the cursor. The reply in progress (`live`) is provisional: it is ordered by
// (turn, epoch, attempt), its offsets count bytes of UTF-8, and the entry that ends its turn replaces it.
// `needsResume` says that something is missing; whoever owns the socket then asks for it with `resume`.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** What a reader holds before the first `synced`. */
export function emptyConversation(id) {
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

/** The cursor to send in `hello`, `watch` or `resume`; undefined if there is none yet. */
export function cursorOf(state) {
  return state.historyEpoch === null ? undefined : { history_epoch: state.historyEpoch, seq: state.cursor };
}

/** The state after a frame. Frames of other conversations and of unknown types change nothing. */
export function apply(state, frame) {
  if (frame.type === "ping") return moveCursor(state, frame.positions ?? []);
  if (frame.conversation !== state.id) return state;
  switch (frame.type) {
    case "synced":
      return applySynced(state, frame);
    case "entry":
      return takeEntry(state, frame);
    case "delta":
      return applyDelta(state, frame);
    case "reset":
      return applyReset(state, frame);
    case "typing":
      return { ...state, typing: frame.active ? frame : null };
    case "queue_position":
      return { ...state, queuePosition: frame.position };
    default:
      return state;
  }
}

/** Puts a page of older entries, oldest first, before those already held. */
export function prependOlder(state, older, hasOlder) {
  const first = state.entries[0]?.seq ?? Infinity;
  const before = older.filter((entry) => entry.seq < first);
  const entries = [...(state.erased ? before.map(withoutTexts) : before), ...state.entries];
  return { ...state, entries, hasOlder };
}

function moveCursor(state, positions) {
  const position = positions.find((candidate) => candidate.conversation === state.id);
  // While something is missing, jumping ahead would hide it for good.
  if (!position || state.needsResume || position.seq <= state.cursor) return state;
  return { ...state, cursor: position.seq };
}

function applySynced(state, frame) {
  const base = frame.recovered
    ? { ...state, needsResume: false }
    : { ...emptyConversation(state.id), hasOlder: frame.has_older, cursor: frame.entries[0]?.prev ?? 0 };
  const caughtUp = frame.entries.reduce(takeEntry, base);
  if (caughtUp.needsResume) return caughtUp;
  return {
    ...caughtUp,
    historyEpoch: frame.history_epoch,
    cursor: Math.max(caughtUp.cursor, frame.position),
    control: frame.control,
    controlVersion: frame.control_version,
    queuePosition: frame.control.state === "queue" ? caughtUp.queuePosition : null,
    live: liveTurn(frame.turn, caughtUp.endedTurn),
    // Of the turns up to here, only the one that is sent along can still be open.
    endedTurn: Math.max(caughtUp.endedTurn, frame.turn ? frame.turn.turn - 1 : frame.position),
  };
}

function liveTurn(turn, endedTurn) {
  if (!turn || turn.turn <= endedTurn) return null;
  return { ...rank(turn), text: turn.text, bytes: byteLength(turn.text) };
}

function takeEntry(state, entry) {
  if (entry.seq <= state.cursor) return state;
  if (entry.prev > state.cursor) return { ...state, needsResume: true };
  return fold({ ...state, cursor: entry.seq, entries: [...state.entries, entry] }, entry);
}

function fold(state, entry) {
  switch (entry.kind) {
    case "message_said":
      return state.typing?.participant === entry.author.id ? { ...state, typing: null } : state;
    case "turn_opened":
      return state.live && state.live.turn >= entry.seq ? state : { ...state, live: emptyReply(entry.seq, 0, 0) };
    case "attempt_started":
      return startAttempt(state, entry);
    case "turn_ended":
      return endTurn(state, entry.turn);
    case "control_changed":
      return changeControl(state, entry);
    case "erased":
      return { ...state, erased: true, entries: state.entries.map(withoutTexts), typing: null };
    default:
      return state;
  }
}

/** The entry without what people said, as the server shows it once the conversation is erased. */
function withoutTexts({ comment: _comment, summary: _summary, ...entry }) {
  if (entry.kind === "erased") return entry;
  const bare = { ...entry, erased: true };
  if ("text" in bare) bare.text = "";
  if (bare.author) bare.author = withoutName(bare.author);
  if (bare.by) bare.by = withoutName(bare.by);
  return bare;
}

function withoutName(author) {
  return author.role === "customer" ? { id: author.id, role: author.role } : author;
}

function startAttempt(state, { turn, attempt }) {
  const { live } = state;
  if (!live || live.turn !== turn || live.attempt >= attempt) return state;
  return { ...state, live: emptyReply(turn, live.epoch, attempt) };
}

function endTurn(state, turn) {
  const live = state.live && state.live.turn > turn ? state.live : null;
  return { ...state, live, endedTurn: Math.max(state.endedTurn, turn) };
}

function changeControl(state, entry) {
  return {
    ...state,
    control: entry.control,
    controlVersion: entry.control_version,
    queuePosition: entry.control.state === "queue" ? state.queuePosition : null,
    typing: null,
  };
}

function applyDelta(state, frame) {
  if (frame.turn <= state.endedTurn) return state;
  const order = state.live ? compareRank(frame, state.live) : 1;
  if (order < 0) return state;
  const live = order > 0 ? emptyReply(frame.turn, frame.epoch, frame.attempt) : state.live;
  if (frame.offset > live.bytes) return { ...state, live, needsResume: true };
  const bytes = encoder.encode(frame.text);
  const known = live.bytes - frame.offset;
  if (bytes.length <= known) return live === state.live ? state : { ...state, live };
  const more = decodeFrom(bytes, known);
  if (more === null) return { ...state, live, needsResume: true };
  return { ...state, live: { ...live, text: live.text + more, bytes: live.bytes + bytes.length - known } };
}

function decodeFrom(bytes, start) {
  try {
    return decoder.decode(bytes.subarray(start));
  } catch {
    return null;
  }
}

function applyReset(state, frame) {
  if (frame.turn <= state.endedTurn) return state;
  if (state.live && compareRank(frame, state.live) < 0) return state;
  return { ...state, live: emptyReply(frame.turn, frame.epoch, frame.attempt) };
}

function emptyReply(turn, epoch, attempt) {
  return { turn, epoch, attempt, text: "", bytes: 0 };
}

function rank({ turn, epoch, attempt }) {
  return { turn, epoch, attempt };
}

function compareRank(a, b) {
  return a.turn - b.turn || a.epoch - b.epoch || a.attempt - b.attempt;
}

function byteLength(text) {
  return encoder.encode(text).length;
}
