// Asks before a conversation is ended.

import { type ReactNode, useEffect, useId, useRef } from "react";
import { useTexts } from "../i18n/texts.ts";

interface ConfirmEndProps {
  isOpen: boolean;
  onAnswer: (end: boolean) => void;
}

/** A modal question; the browser keeps the focus in it and gives it back afterwards. */
export function ConfirmEnd({ isOpen, onAnswer }: ConfirmEndProps): ReactNode {
  const texts = useTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog
      id="confirm"
      ref={dialog}
      aria-labelledby={titleId}
      onCancel={() => onAnswer(false)}
      onKeyDown={(event) => event.key === "Escape" && event.nativeEvent.stopImmediatePropagation()}
    >
      <h2 id={titleId}>{texts.endQuestion}</h2>
      <p>{texts.endExplained}</p>
      <div className="choices">
        <button id="confirm-keep" type="button" className="quiet" onClick={() => onAnswer(false)}>
          {texts.keepOpen}
        </button>
        <button id="confirm-end" type="button" className="primary" onClick={() => onAnswer(true)}>
          {texts.end}
        </button>
      </div>
    </dialog>
  );
}
