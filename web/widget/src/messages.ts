// What the frame of the chat and the page around it say to each other. Both sides check who speaks before they read this.

/** From the frame to the page around it. */
export type FromFrame =
  | { type: "ready"; storage: "own" | "host" }
  | { type: "unread"; count: number }
  | { type: "active"; active: boolean }
  | { type: "close" }
  | { type: "keep"; key: string; value: string | null }
  | { type: "token_wanted"; request: number };

/** From the page around it to the frame. */
export type FromHost =
  | { type: "hello"; hostOrigin: string; isKnown: boolean; isVisible: boolean; kept: Readonly<Record<string, string>> }
  | { type: "visible"; isVisible: boolean }
  | { type: "identity"; isKnown: boolean }
  | { type: "token"; request: number; token: string | null };

const KEPT_NAME = /^onya[. ]/;

/** Whether a name is one that the page around the frame keeps for it. */
export function isKeptName(name: string): boolean {
  return KEPT_NAME.test(name);
}

/** The message, if it is one that a frame may send. */
export function readFromFrame(data: unknown): FromFrame | null {
  const message = fieldsOf(data);
  switch (message?.type) {
    case "ready":
      return { type: "ready", storage: message.storage === "host" ? "host" : "own" };
    case "unread":
      return typeof message.count === "number" ? { type: "unread", count: message.count } : null;
    case "active":
      return { type: "active", active: message.active === true };
    case "close":
      return { type: "close" };
    case "keep":
      return readKeep(message);
    case "token_wanted":
      return typeof message.request === "number" ? { type: "token_wanted", request: message.request } : null;
    default:
      return null;
  }
}

/** The message, if it is one that the page around a frame may send. */
export function readFromHost(data: unknown): FromHost | null {
  const message = fieldsOf(data);
  switch (message?.type) {
    case "hello":
      return readHello(message);
    case "visible":
      return { type: "visible", isVisible: message.isVisible === true };
    case "identity":
      return { type: "identity", isKnown: message.isKnown === true };
    case "token":
      return typeof message.request === "number"
        ? { type: "token", request: message.request, token: typeof message.token === "string" ? message.token : null }
        : null;
    default:
      return null;
  }
}

function readKeep({ key, value }: Fields): FromFrame | null {
  if (typeof key !== "string" || !isKeptName(key)) return null;
  return typeof value === "string" || value === null ? { type: "keep", key, value } : null;
}

function readHello({ hostOrigin, isKnown, isVisible, kept }: Fields): FromHost | null {
  if (typeof hostOrigin !== "string") return null;
  const strings = Object.entries(fieldsOf(kept) ?? {}).filter(
    (pair): pair is [string, string] => typeof pair[1] === "string",
  );
  return {
    type: "hello",
    hostOrigin,
    isKnown: isKnown === true,
    isVisible: isVisible === true,
    kept: Object.fromEntries(strings),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(data: unknown): Fields | null {
  return isFields(data) ? data : null;
}

function isFields(data: unknown): data is Fields {
  return typeof data === "object" && data !== null;
}
