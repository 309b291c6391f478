// What can be done with a reply: copy it, judge it, ask for another.

import type { Chat, ReplyItem, Score } from "@onya/client";
import { type ReactNode, useRef, useState } from "react";
import { useLanguage, useTexts } from "../i18n/texts.ts";
import { CopyButton } from "../shell/CopyButton.tsx";
import { Icon } from "../shell/Icon.tsx";
import { timeOf } from "./clock.ts";
import { RatingComment } from "./RatingComment.tsx";

interface ReplyActionsProps {
  chat: Chat;
  item: ReplyItem;
  /** The entry that ended it. */
  reply: number;
  canRegenerate: boolean;
}

/** The row of small buttons below a reply. A judgement is sent at once; saying why is up to the customer. */
export function ReplyActions({ chat, item, reply, canRegenerate }: ReplyActionsProps): ReactNode {
  const texts = useTexts();
  const { tag } = useLanguage();
  const [asked, setAsked] = useState<Score | "thanked" | null>(null);
  const row = useRef<HTMLDivElement>(null);
  const isWhole = item.outcome === "final";
  const rate = (score: Score) => {
    chat.rate(score, { reply });
    setAsked(score);
  };
  return (
    <>
      <div className="actions" ref={row}>
        {item.text !== "" && <CopyButton text={item.text} />}
        {item.text !== "" && (
          <>
            <RateButton item={item} score="up" label={texts.goodAnswer} onRate={rate} />
            <RateButton item={item} score="down" label={texts.badAnswer} onRate={rate} />
          </>
        )}
        {canRegenerate && (
          <button
            type="button"
            className={isWhole ? "tool" : "quiet"}
            data-action="regenerate"
            aria-label={texts.regenerate}
            title={texts.regenerate}
            onClick={() => chat.regenerate(reply)}
          >
            <Icon name="again" />
            {!isWhole && <span>{texts.regenerate}</span>}
          </button>
        )}
        <time className="meta" dateTime={new Date(item.at).toISOString()}>
          {timeOf(item.at, tag)}
        </time>
      </div>
      {(asked === "up" || asked === "down") && (
        <RatingComment
          onDone={(comment) => {
            if (comment !== "") chat.rate(asked, { reply, comment });
            row.current?.querySelector<HTMLElement>(`[data-action="rate-${asked}"]`)?.focus();
            setAsked(comment === "" ? null : "thanked");
          }}
        />
      )}
      {asked === "thanked" && (
        <p className="thanks" role="status">
          {texts.commentThanks}
        </p>
      )}
    </>
  );
}

interface RateButtonProps {
  item: ReplyItem;
  score: Score;
  label: string;
  onRate: (score: Score) => void;
}

function RateButton({ item, score, label, onRate }: RateButtonProps): ReactNode {
  const isChosen = item.rating === score;
  return (
    <button
      type="button"
      className="tool"
      data-action={`rate-${score}`}
      data-rating-state={isChosen ? item.ratingState : undefined}
      aria-label={label}
      title={label}
      aria-pressed={isChosen}
      onClick={() => isChosen || onRate(score)}
    >
      <Icon name={score === "up" ? "up" : "bad"} />
    </button>
  );
}
