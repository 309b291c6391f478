// How much the customer has not seen yet, counted by the positions of the log, so that a reload does not forget it.

import type { ChatState, ChatStorage, TimelineItem } from "@onya/client";

const KEY = "onya.seen";

/** Replies and messages of others that are stored after position `seen`. */
export function countUnread(timeline: readonly TimelineItem[], seen: number): number {
  return timeline.filter((item) => isFromOthers(item) && "seq" in item && item.seq !== null && item.seq > seen).length;
}

/** The newest position that is shown. */
export function newestSeq(timeline: readonly TimelineItem[]): number {
  return Math.max(0, ...timeline.map((item) => ("seq" in item ? (item.seq ?? 0) : 0)));
}

/** Remembers what was seen of the conversation; `look` returns how much is unread. */
export class Unread {
  readonly #storage: ChatStorage;

  constructor(storage: ChatStorage) {
    this.#storage = storage;
  }

  /** While the panel is visible, everything is seen. */
  look(state: Pick<ChatState, "conversation" | "timeline">, isVisible: boolean): number {
    const conversation = state.conversation?.id;
    if (conversation === undefined) return 0;
    const seen = this.#seen(conversation);
    const newest = newestSeq(state.timeline);
    if (isVisible || seen === null) {
      if (seen === null || newest > seen) this.#storage.setItem(KEY, `${conversation} ${newest}`);
      return 0;
    }
    return countUnread(state.timeline, seen);
  }

  #seen(conversation: string): number | null {
    const [of, seq] = (this.#storage.getItem(KEY) ?? "").split(" ");
    return of === conversation && seq !== undefined ? Number(seq) : null;
  }
}

function isFromOthers(item: TimelineItem): boolean {
  return (item.kind === "message" && !item.mine) || (item.kind === "reply" && item.state === "ended" && !item.replaced);
}
