// What the customer or an agent said.

import type { Chat, MessageItem } from "@onya/client";
import type { ReactNode } from "react";
import { useLanguage, useTexts } from "../i18n/texts.ts";
import { Markdown } from "../markdown/Markdown.tsx";
import { Icon } from "../shell/Icon.tsx";
import { shownName } from "../shell/presence.ts";
import { timeOf } from "./clock.ts";
import { RetryOrDiscard } from "./RetryOrDiscard.tsx";

/** A message. A customer's is shown as it was typed; an agent's may have links and emphasis. */
export function Message({ chat, item }: { chat: Chat; item: MessageItem }): ReactNode {
  const texts = useTexts();
  const { tag } = useLanguage();
  return (
    <li
      className="item message"
      data-key={item.key}
      data-role={item.role}
      data-mine={item.mine}
      data-state={item.delivery}
    >
      <span className={item.mine ? "visually-hidden author" : "author"}>
        {item.mine ? texts.you : (shownName(item.name) ?? texts.team)}
      </span>
      <div className="bubble">
        {item.role === "customer" ? (
          <div className="text plain" dir="auto">
            {item.text}
          </div>
        ) : (
          <div className="text">
            <Markdown text={item.text} />
          </div>
        )}
      </div>
      <p className="meta">
        <time dateTime={new Date(item.at).toISOString()}>{timeOf(item.at, tag)}</time>
        {item.mine && <Delivery delivery={item.delivery} />}
      </p>
      {item.delivery === "failed" && item.id !== undefined && (
        <RetryOrDiscard chat={chat} id={item.id} failure={item.failure} />
      )}
    </li>
  );
}

function Delivery({ delivery }: { delivery: MessageItem["delivery"] }): ReactNode {
  const texts = useTexts();
  const said = { sending: texts.sending, durable: texts.sent, failed: texts.notSent }[delivery];
  const picture = { sending: "clock", durable: "check", failed: "warning" } as const;
  return (
    <span className="delivery" data-delivery={delivery} title={said}>
      <Icon name={picture[delivery]} />
      <span className={delivery === "failed" ? "" : "visually-hidden"}>{said}</span>
    </span>
  );
}
