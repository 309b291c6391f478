// Where the customer writes. Everything that is sent goes to the kit at once, which keeps it until it is stored.

import type { Chat, ChatState } from "@onya/client";
import { type KeyboardEvent, type ReactNode, useEffect, useLayoutEffect, useRef } from "react";
import { useTexts } from "../i18n/texts.ts";
import { Icon } from "../shell/Icon.tsx";
import { useDraft } from "./useDraft.ts";
import { useTyping } from "./useTyping.ts";

const ALMOST_FULL = 0.85;

interface ComposerProps {
  chat: Chat;
  state: Pick<ChatState, "turn" | "limits" | "participant">;
  /** Grows whenever the composer should take the focus. */
  focus: number;
  onSay: (text: string) => void;
}

/** The text field with its buttons. */
export function Composer({ chat, state, focus, onSay }: ComposerProps): ReactNode {
  const { turn, participant } = state;
  const { maxMessageBytes: maxBytes } = state.limits;
  const texts = useTexts();
  const [draft, setDraft] = useDraft(participant);
  const typing = useTyping(chat);
  const field = useRef<HTMLTextAreaElement>(null);
  const bytes = new TextEncoder().encode(draft.trim()).length;
  const canSend = draft.trim() !== "" && bytes <= maxBytes;
  useGrowing(field, draft);
  useEffect(() => {
    if (focus > 0) field.current?.focus({ preventScroll: true });
  }, [focus]);

  const send = () => {
    if (!canSend) return;
    onSay(draft.trim());
    setDraft("");
    typing.ended();
    field.current?.focus({ preventScroll: true });
  };
  const sendByKey = (event: KeyboardEvent) => {
    const isForTheWritingSystem = event.nativeEvent.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || isForTheWritingSystem) return;
    event.preventDefault();
    send();
  };
  return (
    <form
      id="composer"
      className="composer"
      autoComplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div className="column">
        <div className="field">
          <label className="visually-hidden" htmlFor="text">
            {texts.yourMessage}
          </label>
          <textarea
            id="text"
            ref={field}
            rows={1}
            dir="auto"
            enterKeyHint="send"
            placeholder={texts.placeholder}
            aria-describedby="hint"
            value={draft}
            onKeyDown={sendByKey}
            onBlur={typing.ended}
            onChange={({ target }) => {
              setDraft(target.value);
              if (target.value.trim() === "") typing.ended();
              else typing.goesOn();
            }}
          />
          {turn.state !== "idle" && (
            <button
              id="stop"
              type="button"
              className="stop"
              aria-label={texts.stop}
              title={texts.stop}
              onClick={() => chat.stopReply()}
            >
              <span aria-hidden="true" />
            </button>
          )}
          <button
            id="send"
            type="submit"
            className="send"
            aria-label={texts.send}
            title={texts.send}
            disabled={!canSend}
          >
            <Icon name="send" />
          </button>
        </div>
        <Hint bytes={bytes} maxBytes={maxBytes} />
      </div>
    </form>
  );
}

function Hint({ bytes, maxBytes }: { bytes: number; maxBytes: number }): ReactNode {
  const texts = useTexts();
  if (bytes > maxBytes) {
    return (
      <p id="hint" className="hint over" role="status">
        {texts.tooLong(bytes - maxBytes)}
      </p>
    );
  }
  return (
    <p id="hint" className="hint">
      {bytes > maxBytes * ALMOST_FULL ? texts.bytesLeft(maxBytes - bytes) : <span className="keys">{texts.hint}</span>}
    </p>
  );
}

/** As high as its text, up to what the style sheet allows. */
function useGrowing(field: { readonly current: HTMLTextAreaElement | null }, text: string): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height depends on the text
  useLayoutEffect(() => {
    const node = field.current;
    if (node === null) return;
    node.style.height = "auto";
    node.style.height = `${node.scrollHeight}px`;
  }, [field, text]);
}
