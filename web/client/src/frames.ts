// Frames as they cross the wire: names for the variants of the generated types, and reading one from text.

import type { CustomerFrame, LogEntry, ServerFrame } from "./generated/protocol.ts";

/** One kind of frame from the server. */
export type FrameOf<Type extends ServerFrame["type"]> = Extract<ServerFrame, { type: Type }>;

/** One kind of entry of the log. */
export type EntryOf<Kind extends LogEntry["kind"]> = Extract<LogEntry, { kind: Kind }>;

/** A customer's frame that is acknowledged or refused, and kept until it is. */
export type Command = Extract<CustomerFrame, { client_msg_id: string }>;

const KNOWN: Record<ServerFrame["type"], true> = {
  hello: true,
  synced: true,
  entry: true,
  delta: true,
  reset: true,
  ack: true,
  refused: true,
  typing: true,
  queue: true,
  queue_position: true,
  ping: true,
  pong: true,
  goaway: true,
};

/** A frame from the server; null for a type of a later version. Throws if it is no frame at all. */
export function parseFrame(data: string): ServerFrame | null {
  const value: unknown = JSON.parse(data);
  if (!isRecord(value) || typeof value.type !== "string") throw new SyntaxError("not a frame");
  return isServerFrame(value) ? value : null;
}

/** Whether something is an object whose fields can be looked at. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// The server's word is taken for the fields of a type: it is tested against the schema that these types come from.
function isServerFrame(value: unknown): value is ServerFrame {
  return isRecord(value) && typeof value.type === "string" && Object.hasOwn(KNOWN, value.type);
}
