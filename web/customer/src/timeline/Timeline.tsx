// The list of everything that was said, answered and noticed. An item that has not changed is not drawn again.

import type { Chat, ChatState, TimelineItem } from "@onya/client";
import { memo, type ReactNode } from "react";
import { useLanguage } from "../i18n/texts.ts";
import { Command } from "./Command.tsx";
import { dayOf } from "./clock.ts";
import { Erased } from "./Erased.tsx";
import { Message } from "./Message.tsx";
import { Notice } from "./Notice.tsx";
import { Reply } from "./Reply.tsx";

interface TimelineProps {
  chat: Chat;
  items: readonly TimelineItem[];
  control: ChatState["control"];
}

/** Every item in order, with the date wherever a new day begins. */
export const Timeline = memo(function Timeline({ chat, items, control }: TimelineProps): ReactNode {
  const { tag } = useLanguage();
  const askable = control?.state === "assistant" || control?.state === "queue" ? lastReply(items) : null;
  return (
    <ol id="timeline" className="timeline">
      {items.map((item, index) => (
        <Item
          key={item.key}
          chat={chat}
          item={item}
          day={startsDay(items, index) ? dayOf(item, tag) : null}
          canRegenerate={item.key === askable}
        />
      ))}
    </ol>
  );
});

interface ItemProps {
  chat: Chat;
  item: TimelineItem;
  /** The date, where it is another one than that of the item before. */
  day: string | null;
  canRegenerate: boolean;
}

const Item = memo(function Item({ chat, item, day, canRegenerate }: ItemProps): ReactNode {
  return (
    <>
      {day !== null && <li className="day">{day}</li>}
      {content(chat, item, canRegenerate)}
    </>
  );
});

function content(chat: Chat, item: TimelineItem, canRegenerate: boolean): ReactNode {
  switch (item.kind) {
    case "message":
      return <Message chat={chat} item={item} />;
    case "reply":
      return <Reply chat={chat} item={item} canRegenerate={canRegenerate} />;
    case "notice":
      return <Notice item={item} />;
    case "erased":
      return <Erased item={item} />;
    case "command":
      return <Command chat={chat} item={item} />;
  }
}

/** The key of the reply that may be asked for again: the newest, if nobody has said anything since. */
function lastReply(items: readonly TimelineItem[]): string | null {
  const last = items.findLast(({ kind }) => kind === "message" || kind === "reply");
  return last?.kind === "reply" && last.state === "ended" && last.seq !== null ? last.key : null;
}

function startsDay(items: readonly TimelineItem[], index: number): boolean {
  const item = items[index];
  if (item === undefined || item.kind === "command") return false;
  const before = dateBefore(items, index);
  return before === null ? !isToday(item.at) : new Date(before).toDateString() !== new Date(item.at).toDateString();
}

function dateBefore(items: readonly TimelineItem[], index: number): number | null {
  for (let at = index - 1; at >= 0; at -= 1) {
    const item = items[at];
    if (item !== undefined && item.kind !== "command") return item.at;
  }
  return null;
}

function isToday(at: number): boolean {
  return new Date(at).toDateString() === new Date().toDateString();
}
