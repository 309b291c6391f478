// What to do when the server has said that connecting again would not help.

import type { Chat, ChatState } from "@onya/client";
import { type ReactNode, useState } from "react";
import { useTexts } from "../i18n/texts.ts";

const BAD_TOKEN = 3500;
const FORBIDDEN = 3502;
const UNSUPPORTED_VERSION = 3504;

type Ended = Extract<ChatState["connection"], { status: "ended" }>;

interface EndedBarProps {
  chat: Chat;
  code: Ended["code"];
  reason: Ended["reason"];
}

/** Says why, and offers to begin again as somebody new or to load the page again. */
export function EndedBar({ chat, code, reason }: EndedBarProps): ReactNode {
  const texts = useTexts();
  const [isBusy, setBusy] = useState(false);
  const isSignedOut = code === BAD_TOKEN || code === FORBIDDEN;
  const startOver = () => {
    setBusy(true);
    void chat
      .forget()
      .then(() => chat.start())
      .finally(() => setBusy(false));
  };
  return (
    <div id="banner" className="banner" data-kind="bad" role="alert">
      <span>{explanation(code, reason, texts)}</span>
      {isSignedOut ? (
        <button id="start-over" type="button" className="quiet" disabled={isBusy} onClick={startOver}>
          {texts.startOver}
        </button>
      ) : (
        <button id="reload" type="button" className="quiet" onClick={() => location.reload()}>
          {texts.reload}
        </button>
      )}
    </div>
  );
}

function explanation(code: number, reason: string, texts: ReturnType<typeof useTexts>): string {
  if (code === BAD_TOKEN || code === FORBIDDEN) return texts.endedSignedOut;
  if (code === UNSUPPORTED_VERSION) return texts.endedOutdated;
  return texts.endedOther(reason === "" ? String(code) : reason);
}
