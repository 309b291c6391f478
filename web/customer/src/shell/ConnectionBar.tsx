// The line below the header: that the connection is lost and when it is tried again, or that it is back.

import type { Chat, ChatState, ConnectionState } from "@onya/client";
import { type ReactNode, useEffect, useState } from "react";
import { useTexts } from "../i18n/texts.ts";
import { EndedBar } from "./EndedBar.tsx";

const TICK_MS = 500;
const SHORT_BREAK_MS = 800;

/** Nothing while all is well. A break of less than a second is not worth a word. */
export function ConnectionBar({ chat, connection }: { chat: Chat; connection: ConnectionState }): ReactNode {
  const texts = useTexts();
  const isLasting = useLasting(connection.status === "reconnecting");
  switch (connection.status) {
    case "reconnecting":
      return isLasting ? <Reconnecting chat={chat} connection={connection} /> : null;
    case "offline":
      return <Bar kind="warning">{texts.offline}</Bar>;
    case "online":
      return connection.restored ? <Bar kind="good">{texts.restored}</Bar> : null;
    case "ended":
      return <EndedBar chat={chat} code={connection.code} reason={connection.reason} />;
    case "stopped":
      return (
        <Bar kind="warning">
          <span>{texts.stopped}</span>
          <button type="button" className="quiet" onClick={() => chat.start()}>
            {texts.connect}
          </button>
        </Bar>
      );
    default:
      return null;
  }
}

/** One line of the bar; it is read out once, when it appears. */
export function Bar({ kind, children }: { kind: "good" | "warning" | "bad"; children: ReactNode }): ReactNode {
  return (
    <div id="banner" className="banner" data-kind={kind} role="status">
      {children}
    </div>
  );
}

function Reconnecting({
  chat,
  connection,
}: {
  chat: Chat;
  connection: Extract<ChatState["connection"], { status: "reconnecting" }>;
}): ReactNode {
  const texts = useTexts();
  const seconds = useSecondsUntil(connection.retryAt);
  return (
    <div id="banner" className="banner" data-kind="warning">
      <span aria-hidden="true">{texts.reconnecting(seconds, connection.attempt)}</span>
      <span className="visually-hidden" role="status">
        {texts.reconnecting(0, connection.attempt)}
      </span>
      <button id="try-now" type="button" className="quiet" onClick={() => chat.start()}>
        {texts.tryNow}
      </button>
    </div>
  );
}

function useSecondsUntil(at: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return Math.max(0, Math.ceil((at - now) / 1000));
}

function useLasting(condition: boolean): boolean {
  const [lasts, setLasts] = useState(false);
  useEffect(() => {
    if (!condition) {
      setLasts(false);
      return;
    }
    const timer = setTimeout(() => setLasts(true), SHORT_BREAK_MS);
    return () => clearTimeout(timer);
  }, [condition]);
  return lasts && condition;
}
