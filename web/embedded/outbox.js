// What this tab has sent and does not know the end of.
//
// Pure bookkeeping, no socket and no timer: `take` hands out the frames that should go out now, in order; `settle`
// learns from `ack`, `refused` and the entries themselves. A command keeps its `client_msg_id` for good, so sending it
// again is always safe. `after` is worked out at each sending: it names the newest earlier command without an outcome.

const RETRYABLE = new Set(["out_of_order", "busy", "unknown", "internal"]);
const MAX_ATTEMPTS = 8;

export class Outbox {
  items = [];

  /**
   * Adds a command; its item changes state as it goes: waiting, inFlight, stored or failed. `at`: the time; `cursor`:
   * where the log stood, so that a command that fails for good can be shown in its place.
   */
  add(frame, at, cursor = 0) {
    const item = { id: frame.client_msg_id, frame, at, cursor, state: "waiting", attempts: 0, refusal: null, seq: null };
    this.items.push(item);
    return item;
  }

  /** After a disconnect nobody knows what arrived: everything without an outcome goes out again. */
  disconnected() {
    for (const item of this.items) if (item.state === "inFlight") item.state = "waiting";
  }

  /** The frames to send now, in order. */
  take() {
    const frames = [];
    let after;
    for (const item of this.items) {
      if (item.state === "waiting") {
        item.state = "inFlight";
        frames.push(this.#addressed(item.frame, after));
      }
      if (item.state === "inFlight") after = item.id;
    }
    return frames;
  }

  /** Whether `take` must wait: an earlier command was refused for now, and what follows must not overtake it. */
  get blocked() {
    return this.items.some((item) => item.state === "waiting" && item.attempts > 0);
  }

  /**
   * Learns from a frame. Returns null if it is about nothing here, else the item, with `retryInMs` if it should be
   * sent again after that time.
   */
  settle(frame) {
    const item = this.items.find((candidate) => candidate.id === frame.client_msg_id);
    if (!item) return null;
    if (frame.type === "refused") return this.#refused(item, frame);
    if (frame.type !== "ack" && frame.type !== "entry") return null;
    item.state = "stored";
    item.seq = frame.seq;
    return { item };
  }

  /** Sends a failed command again. A name that belongs to another command is replaced. */
  retry(id, freshId) {
    const item = this.items.find((candidate) => candidate.id === id && candidate.state === "failed");
    if (!item) return;
    this.discard(id);
    const name = item.refusal?.code === "id_conflict" ? freshId : id;
    this.items.push({
      ...item,
      id: name,
      frame: { ...item.frame, client_msg_id: name },
      state: "waiting",
      attempts: 0,
      refusal: null,
    });
  }

  /** Forgets a command. */
  discard(id) {
    this.items = this.items.filter((item) => item.id !== id);
  }

  /** Forgets stored commands whose entries the log has reached. */
  reached(cursor) {
    this.items = this.items.filter((item) => item.state !== "stored" || item.seq === null || item.seq > cursor);
  }

  /** Of the commands of staff only `say` has a place for a predecessor. */
  #addressed(frame, after) {
    return frame.type === "say" && after !== undefined ? { ...frame, after } : frame;
  }

  #refused(item, refusal) {
    if (item.state === "stored") return { item };
    item.attempts += 1;
    item.refusal = refusal;
    if (!RETRYABLE.has(refusal.code) || item.attempts >= MAX_ATTEMPTS) {
      item.state = "failed";
      return { item };
    }
    item.state = "waiting";
    const retryInMs = refusal.retry_after_ms ?? (refusal.code === "out_of_order" ? 50 : 250) * 2 ** (item.attempts - 1);
    return { item, retryInMs };
  }
}
