// What can be done about something that failed.

import type { Chat, ItemFailure } from "@onya/client";
import type { ReactNode } from "react";
import { useTexts } from "../i18n/texts.ts";
import { refusalText } from "../shell/refusal.ts";

interface RetryOrDiscardProps {
  chat: Chat;
  /** The `client_msg_id` of what failed. */
  id: string;
  /** Why, if the server said; without a reason it can be tried again. */
  failure: ItemFailure | undefined;
}

/** The reason, and the two ways out. */
export function RetryOrDiscard({ chat, id, failure }: RetryOrDiscardProps): ReactNode {
  const texts = useTexts();
  return (
    <p className="failure">
      {failure && <span>{refusalText(failure, texts)}</span>}
      {(failure?.canRetry ?? true) && (
        <button type="button" className="link" data-action="retry" onClick={() => chat.retry(id)}>
          {texts.retry}
        </button>
      )}
      <button type="button" className="link" data-action="discard" onClick={() => chat.discard(id)}>
        {texts.discard}
      </button>
    </p>
  );
}
