// From a conversation's state to what the desk shows: a flat list of items with stable keys.
//
// Pure. A reply stands where its turn opened, right under the message it answers, while it streams and after it has
// ended; so nothing jumps when the committed text replaces the streamed one.

/** Items, oldest first: `message`, `reply`, `notice`. */
export function timeline(state, outbox) {
  const known = index(state.entries);
  const items = [];
  for (const entry of state.entries) {
    const item = itemOf(entry, known, state);
    if (item) items.push(item);
  }
  if (state.live && !known.opened.has(state.live.turn)) items.push(liveReply(state.live));
  for (const sent of outbox.items) {
    if (sent.frame.type !== "say") continue;
    const later = sent.state === "failed" ? items.findIndex(({ seq }) => seq > sent.cursor) : -1;
    items.splice(later < 0 ? items.length : later, 0, pendingMessage(sent));
  }
  return items;
}

function index(entries) {
  const known = { opened: new Set(), ended: new Map(), replaced: new Set() };
  for (const entry of entries) {
    if (entry.kind === "turn_opened") {
      known.opened.add(entry.seq);
      if (entry.replaces) known.replaced.add(entry.replaces);
    }
    if (entry.kind === "turn_ended") known.ended.set(entry.turn, entry);
  }
  return known;
}

function itemOf(entry, known, state) {
  switch (entry.kind) {
    case "message_said":
      if (entry.erased) return null;
      return {
        kind: "message",
        key: `message-${entry.client_msg_id ?? entry.seq}`,
        seq: entry.seq,
        at: entry.at,
        role: entry.author.role,
        name: entry.author.name,
        authorId: entry.author.id,
        text: entry.text,
        status: "stored",
      };
    case "turn_opened":
      return openedReply(entry.seq, known, state);
    case "turn_ended":
      return known.opened.has(entry.turn) ? null : endedReply(entry, known);
    case "control_changed":
      return controlNotice(entry);
    case "notice_posted":
      return { kind: "notice", key: `entry-${entry.seq}`, seq: entry.seq, at: entry.at, text: entry.notice };
    case "rated":
      return ratingNotice(entry);
    case "erased":
      return erasedNotice(entry);
    default:
      return null;
  }
}

function openedReply(turn, known, state) {
  const ended = known.ended.get(turn);
  if (ended) return endedReply(ended, known);
  return state.live?.turn === turn ? liveReply(state.live) : null;
}

function liveReply(live) {
  return { kind: "reply", key: `turn-${live.turn}`, state: live.text ? "streaming" : "thinking", text: live.text };
}

function endedReply(entry, known) {
  const quiet = entry.erased || (entry.text === "" && !["stopped", "failed"].includes(entry.outcome));
  if (quiet) return null;
  return {
    kind: "reply",
    key: `turn-${entry.turn}`,
    state: "ended",
    seq: entry.seq,
    at: entry.at,
    text: entry.text,
    outcome: entry.outcome,
    failure: entry.failure,
    replaced: known.replaced.has(entry.seq),
  };
}

function pendingMessage(sent) {
  return {
    kind: "message",
    key: `message-${sent.id}`,
    at: sent.at,
    id: sent.id,
    role: "agent",
    own: true,
    text: sent.frame.text,
    status: sent.state === "failed" ? "failed" : sent.state === "stored" ? "stored" : "sending",
    reason: sent.refusal?.message ?? null,
  };
}

function controlNotice(entry) {
  const text = controlText(entry);
  return { kind: "notice", key: `entry-${entry.seq}`, seq: entry.seq, at: entry.at, text, strong: true };
}

const REASONS = {
  customer_asked: "the customer asked for a person",
  assistant_asked: "the assistant asked for a person",
  reply_failed: "a reply failed",
  quarantined: "withdrawn from the assistant after repeated failures",
  agent_returned: "a colleague returned it",
};

/** Why a customer waits, in words. */
export function reasonText(reason) {
  return REASONS[reason] ?? reason ?? "";
}

function controlText(entry) {
  const who = entry.by?.name ?? (entry.by?.role === "customer" ? "The customer" : "The server");
  switch (entry.cause) {
    case "escalated":
      return `Queued: ${reasonText(entry.reason)}${entry.summary ? ` – “${entry.summary}”` : ""}`;
    case "claimed":
      return `${who} took it from the queue`;
    case "taken_over":
      return `${who} took over`;
    case "handed_back":
      return `${who} handed back to the ${entry.control.state}`;
    case "assistant_chosen":
      return `${who} went back to the assistant`;
    case "idled_out":
      return "Closed: nothing was said for too long";
    default:
      return `${who} closed the conversation`;
  }
}

/** One line in place of all that was said. */
function erasedNotice(entry) {
  const who = entry.by ? ` by ${entry.by.name ?? "a supervisor"}` : ": the time for which it is kept was over";
  const text = `The content of this conversation was erased${who}`;
  return { kind: "notice", key: `entry-${entry.seq}`, seq: entry.seq, at: entry.at, text, strong: true };
}

function ratingNotice(entry) {
  const what = entry.reply ? "a reply" : "the conversation";
  const comment = entry.comment ? ` – “${entry.comment}”` : "";
  return {
    kind: "notice",
    key: `entry-${entry.seq}`,
    seq: entry.seq,
    at: entry.at,
    text: `The customer rated ${what} ${entry.score}${comment}`,
  };
}
