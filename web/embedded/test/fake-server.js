// A server that keeps a log and a reply in progress, and delivers them badly: cut, doubled, and with frames lost.

export const ID = "0198c0de-0000-7000-8000-000000000001";
export const HISTORY_EPOCH = "0198c0de-0000-7000-8000-00000000e90c";
const WORDS = ["so ", "naïve ", "€ 5 ", "😀 ", "日本 ", "fine. "];
const encoder = new TextEncoder();

/** A seeded generator of numbers in [0, 1): mulberry32. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** What a customer is shown of a log. */
export function customerView(log) {
  return log.filter(({ kind }) => kind !== "attempt_started").map(({ seq, kind, text }) => ({ seq, kind, text }));
}

export class FakeServer {
  constructor(draw) {
    this.draw = draw;
    this.log = [];
    this.turn = null;
    this.epoch = 1;
    this.outgoing = [];
    this.isConnected = false;
    this.everTooOld = false;
    this.holdPings = false;
  }

  /** Something happens: a message, a token, a crash of the owner, the end of a turn, a ping. */
  step() {
    const roll = this.draw();
    if (roll < 0.15) this.#say();
    else if (roll < 0.75) this.#token();
    else if (roll < 0.8) this.#ownerDies();
    else if (roll < 0.85) this.#endTurn();
    else this.#send({ type: "ping", positions: [{ conversation: ID, seq: this.log.length }] });
  }

  /** What reaches the client now. Pings wait after a lost entry: they would hide it, and a real socket loses neither. */
  deliver() {
    if (!this.isConnected || this.draw() < 0.3) return [];
    const frames = this.outgoing;
    this.outgoing = [];
    const arrived = [];
    for (const frame of frames) {
      const roll = this.draw();
      if (roll < 0.03) this.holdPings ||= frame.type === "entry";
      if (roll < 0.03 || (this.holdPings && frame.type === "ping")) continue;
      arrived.push(frame);
      if (roll > 0.9) arrived.push(frame);
      if (roll > 0.97 && arrived.length > 2) arrived.push(arrived[Math.floor(this.draw() * arrived.length)]);
    }
    return arrived;
  }

  /** The socket is gone, with whatever had not been read. */
  cut() {
    this.isConnected = false;
    this.outgoing = [];
  }

  /** A new socket, or a resume on this one. */
  connect(cursor) {
    this.isConnected = true;
    this.outgoing = [];
    this.holdPings = false;
    const visible = this.log.filter(({ kind }) => kind !== "attempt_started");
    const missed = visible.filter(({ seq }) => seq > (cursor?.seq ?? 0));
    const recovered = cursor !== undefined && missed.length <= 12;
    if (cursor && !recovered) this.everTooOld = true;
    return [
      {
        type: "synced",
        conversation: ID,
        history_epoch: HISTORY_EPOCH,
        position: this.log.length,
        recovered,
        entries: recovered ? missed : visible.slice(-50),
        has_older: !recovered && visible.length > 50,
        control: { state: "assistant" },
        control_version: 0,
        ...(this.turn && { turn: { ...this.turn, epoch: this.epoch } }),
      },
    ];
  }

  #say() {
    this.#append({ kind: "message_said", author: { id: "c", role: "customer" }, text: `m${this.log.length}` });
    if (this.turn) return;
    this.#append({ kind: "turn_opened", answers: this.log.length });
    this.turn = { turn: this.log.length, attempt: 1, text: "" };
  }

  #token() {
    if (!this.turn) return;
    const text = WORDS[Math.floor(this.draw() * WORDS.length)];
    const offset = encoder.encode(this.turn.text).length;
    this.turn.text += text;
    const { turn, attempt } = this.turn;
    this.#send({ type: "delta", conversation: ID, turn, epoch: this.epoch, attempt, offset, text });
  }

  #ownerDies() {
    this.epoch += 1;
    if (!this.turn) return;
    const attempt = this.turn.attempt + 1;
    this.turn = { ...this.turn, attempt, text: "" };
    this.#append({ kind: "attempt_started", turn: this.turn.turn, attempt });
    this.#send({ type: "reset", conversation: ID, turn: this.turn.turn, epoch: this.epoch, attempt });
  }

  #endTurn() {
    if (!this.turn) return;
    const { turn, text } = this.turn;
    this.turn = null;
    this.#append({ kind: "turn_ended", turn, outcome: "final", text });
  }

  #append(body) {
    const visible = this.log.filter(({ kind }) => kind !== "attempt_started");
    const prev = visible.at(-1)?.seq ?? 0;
    const entry = { seq: this.log.length + 1, prev, at: this.log.length, ...body };
    this.log.push(entry);
    if (entry.kind !== "attempt_started") this.#send({ type: "entry", conversation: ID, ...entry });
  }

  #send(frame) {
    if (this.isConnected) this.outgoing.push(frame);
  }
}
