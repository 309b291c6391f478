// The reply in progress: provisional text, ordered by (turn, epoch, attempt), with offsets in bytes of UTF-8.
//
// Pure. A higher name begins with empty text, a lower one is dropped; within one name only what lies beyond the bytes
// held is appended, so that no delivery, however often repeated, shows a byte twice.

import type { Delta, LiveTurn, Reset } from "./generated/protocol.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a turn so far. Before its first byte it is pending. */
export interface LiveReply {
  readonly turn: number;
  readonly epoch: number;
  readonly attempt: number;
  readonly text: string;
  /** Length of `text` in bytes of UTF-8. */
  readonly bytes: number;
}

type Name = Pick<LiveReply, "turn" | "epoch" | "attempt">;

/** A turn of which nothing is known yet but its name. */
export function emptyReply({ turn, epoch, attempt }: Name): LiveReply {
  return { turn, epoch, attempt, text: "", bytes: 0 };
}

/** Negative if `a` is the older name. */
export function compareNames(a: Name, b: Name): number {
  return a.turn - b.turn || a.epoch - b.epoch || a.attempt - b.attempt;
}

/** What a delta makes of the reply of a turn that is not over. `isMissing`: text before the delta's is not held. */
export function withDelta(held: LiveReply | null, delta: Delta): { live: LiveReply; isMissing: boolean } {
  const order = held ? compareNames(delta, held) : 1;
  if (held && order < 0) return { live: held, isMissing: false };
  const live = held && order === 0 ? held : emptyReply(delta);
  if (delta.offset > live.bytes) return { live, isMissing: true };
  const bytes = encoder.encode(delta.text);
  const known = live.bytes - delta.offset;
  if (bytes.length <= known) return { live, isMissing: false };
  const more = known === 0 ? delta.text : decodeFrom(bytes, known);
  if (more === null) return { live, isMissing: true };
  return { live: { ...live, text: live.text + more, bytes: live.bytes + bytes.length - known }, isMissing: false };
}

/** The reply after its text so far was withdrawn. */
export function withReset(held: LiveReply | null, reset: Reset): LiveReply {
  return held && compareNames(reset, held) < 0 ? held : emptyReply(reset);
}

/** The reply that `synced` tells of. A longer text of the same name stays: the socket before had come further. */
export function withSyncedTurn(held: LiveReply | null, turn: LiveTurn): LiveReply {
  const bytes = encoder.encode(turn.text).length;
  const isAhead = held !== null && compareNames(turn, held) === 0 && held.bytes >= bytes;
  return isAhead && held.text.startsWith(turn.text) ? held : { ...emptyReply(turn), text: turn.text, bytes };
}

function decodeFrom(bytes: Uint8Array, start: number): string | null {
  try {
    return decoder.decode(bytes.subarray(start));
  } catch {
    return null;
  }
}
