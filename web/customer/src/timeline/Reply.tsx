// What the assistant answers. The bubble in which a reply is awaited is the one in which it is written and the one in
// which it stays.

import type { Chat, ReplyItem } from "@onya/client";
import type { ReactNode } from "react";
import type { Texts } from "../i18n/en.ts";
import { useTexts } from "../i18n/texts.ts";
import { Markdown } from "../markdown/Markdown.tsx";
import { ReplyActions } from "./ReplyActions.tsx";

interface ReplyProps {
  chat: Chat;
  item: ReplyItem;
  canRegenerate: boolean;
}

/** A reply in any of its states; one that was answered again is folded away. */
export function Reply({ chat, item, canRegenerate }: ReplyProps): ReactNode {
  const texts = useTexts();
  return (
    <li
      className="item reply"
      data-key={item.key}
      data-role="assistant"
      data-state={item.state}
      data-outcome={item.outcome}
      data-replaced={item.replaced}
    >
      {item.replaced ? (
        <details>
          <summary>{texts.replaced}</summary>
          <Body item={item} />
        </details>
      ) : (
        <>
          <span className="author">{texts.assistant}</span>
          <Body item={item} />
          {item.state === "ended" && item.seq !== null && (
            <ReplyActions chat={chat} item={item} reply={item.seq} canRegenerate={canRegenerate} />
          )}
        </>
      )}
    </li>
  );
}

function Body({ item }: { item: ReplyItem }): ReactNode {
  const texts = useTexts();
  const marker = markerOf(item, texts);
  return (
    <>
      {item.state !== "ended" && item.text === "" && <Thinking />}
      {item.text !== "" && (
        <div className="bubble">
          <div className="text">
            <Markdown text={item.text} />
          </div>
        </div>
      )}
      {marker !== null && <p className="marker">{marker}</p>}
    </>
  );
}

function Thinking(): ReactNode {
  const texts = useTexts();
  return (
    <div className="bubble thinking">
      <span className="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <span className="visually-hidden">{texts.thinking}</span>
    </div>
  );
}

function markerOf(item: ReplyItem, texts: Texts): string | null {
  if (item.state !== "ended" || item.outcome === undefined || item.outcome === "final") return null;
  const why = item.failure === undefined ? "" : ` ${texts.failure[item.failure]}`;
  return item.outcome === "failed" ? `${texts.outcome.failed}.${why}` : texts.outcome[item.outcome];
}
