// What a page would have shown of the connection.

import type { Chat, ConnectionState } from "../../src/index.ts";

/** Every status in the order in which they were shown, from here on; it grows. */
export function statuses(chat: Chat): ConnectionState["status"][] {
  const shown: ConnectionState["status"][] = [];
  chat.subscribe(() => {
    const { status } = chat.state.connection;
    if (shown.at(-1) !== status) shown.push(status);
  });
  return shown;
}
