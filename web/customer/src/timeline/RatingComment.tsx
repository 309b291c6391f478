// A few words to a judgement, for who wants to give them.

import { type KeyboardEvent, type ReactNode, useId, useState } from "react";
import { useTexts } from "../i18n/texts.ts";
import { isEscape } from "../shell/escape.ts";

const LONGEST_COMMENT = 1_000;

/** Asks once; `onDone` is given the comment, or nothing. */
export function RatingComment({ onDone }: { onDone: (comment: string) => void }): ReactNode {
  const texts = useTexts();
  const [comment, setComment] = useState("");
  const id = useId();
  const skip = (event: KeyboardEvent) => {
    if (!isEscape(event.nativeEvent)) return;
    event.nativeEvent.stopImmediatePropagation();
    onDone("");
  };
  return (
    <form
      className="comment"
      onSubmit={(event) => {
        event.preventDefault();
        onDone(comment.trim());
      }}
    >
      <label htmlFor={id}>{texts.commentLabel}</label>
      <textarea
        id={id}
        rows={2}
        maxLength={LONGEST_COMMENT}
        dir="auto"
        value={comment}
        onKeyDown={skip}
        onChange={(event) => setComment(event.target.value)}
      />
      <div className="choices">
        <button type="button" className="quiet" onClick={() => onDone("")}>
          {texts.commentSkip}
        </button>
        <button type="submit" className="primary" disabled={comment.trim() === ""}>
          {texts.commentSend}
        </button>
      </div>
    </form>
  );
}
