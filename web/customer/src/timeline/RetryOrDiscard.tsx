// What can be done about something that failed.

import type { Chat } from "@onya/client";
import type { ReactNode } from "react";
import { useTexts } from "../i18n/texts.ts";

interface RetryOrDiscardProps {
  chat: Chat;
  /** The `client_msg_id` of what failed. */
  id: string;
  canRetry: boolean;
  why: string | null;
}

/** The reason, and the two ways out. */
export function RetryOrDiscard({ chat, id, canRetry, why }: RetryOrDiscardProps): ReactNode {
  const texts = useTexts();
  return (
    <p className="failure">
      {why !== null && <span>{why}</span>}
      {canRetry && (
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
