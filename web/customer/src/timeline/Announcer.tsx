// Speaks for the timeline: what a screen reader should hear, once, when it is complete. A reply that is being written is
// not read out piece by piece.

import type { ChatState, TimelineItem } from "@onya/client";
import { type ReactNode, startTransition, useEffect, useRef, useState } from "react";
import type { Texts } from "../i18n/en.ts";
import { useTexts } from "../i18n/texts.ts";

const KEPT = 6;
const LONGEST = 1_500;

interface Announcement {
  id: number;
  text: string;
}

/** Says what is new in the timeline; what was there at the beginning, or is loaded from earlier, is not said. */
export function Announcer({ state }: { state: ChatState }): ReactNode {
  const texts = useTexts();
  const [said, setSaid] = useState<readonly Announcement[]>([]);
  const known = useRef<Map<string, string> | null>(null);
  const newestAt = useRef(0);
  const next = useRef(0);
  const isReady = state.conversation !== null;
  useEffect(() => {
    if (!isReady) return;
    const before = known.current;
    known.current = new Map(state.timeline.map((item) => [item.key, stageOf(item)]));
    if (before === null) {
      newestAt.current = newest(state.timeline);
      return;
    }
    const fresh = state.timeline.filter((item) => {
      const isOlder = !before.has(item.key) && "at" in item && item.at < newestAt.current;
      return !isOlder && before.get(item.key) !== stageOf(item);
    });
    newestAt.current = Math.max(newestAt.current, newest(state.timeline));
    const lines = fresh.map((item) => announcementOf(item, texts)).filter((text) => text !== null);
    if (lines.length === 0) return;
    const added = lines.map((text) => ({ id: next.current++, text: text.slice(0, LONGEST) }));
    // Never urgent: fifty messages in a burst, each followed at once by an urgent change, look like a loop to React.
    startTransition(() => setSaid((earlier) => [...earlier, ...added].slice(-KEPT)));
  }, [isReady, state.timeline, texts]);
  return (
    <div id="announcer" className="visually-hidden" aria-live="polite" aria-relevant="additions">
      {said.map(({ id, text }) => (
        <p key={id}>{text}</p>
      ))}
    </div>
  );
}

/** What has to change for an item to be worth a word again. */
function stageOf(item: TimelineItem): string {
  switch (item.kind) {
    case "message":
      return item.delivery === "failed" ? "failed" : "said";
    case "reply":
      return item.state === "streaming" ? "pending" : item.state;
    case "notice":
    case "erased":
      return "said";
    case "command":
      return item.state;
  }
}

function announcementOf(item: TimelineItem, texts: Texts): string | null {
  switch (item.kind) {
    case "message":
      if (item.mine) return item.delivery === "failed" ? texts.notSent : null;
      return `${item.name ?? texts.team}: ${item.text}`;
    case "reply":
      return item.state === "ended" ? endOf(item, texts) : texts.thinking;
    case "notice":
      return item.text;
    case "erased":
      return texts.erased;
    case "command":
      return item.state === "failed" ? texts.commandFailed(texts.command[item.command]) : null;
  }
}

function endOf(item: Extract<TimelineItem, { kind: "reply" }>, texts: Texts): string {
  const outcome = item.outcome === undefined || item.outcome === "final" ? null : texts.outcome[item.outcome];
  return [`${texts.assistant}:`, item.text, outcome].filter((part) => part !== null && part !== "").join(" ");
}

function newest(items: readonly TimelineItem[]): number {
  return Math.max(0, ...items.map((item) => ("at" in item ? item.at : 0)));
}
