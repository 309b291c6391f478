// React bindings of a chat.

import { useCallback, useRef, useSyncExternalStore } from "react";

import type { Chat, ChatState } from "./chat.ts";

/** The whole state of a chat. Draws again at every change: prefer `useChatSelector` for parts of a page. */
export function useChat(chat: Chat): ChatState {
  return useChatSelector(chat, identity);
}

/** A part of a chat's state. Draws again only when `equal` says that it has changed. */
export function useChatSelector<Part>(
  chat: Chat,
  selector: (state: ChatState) => Part,
  equal: (a: Part, b: Part) => boolean = Object.is,
): Part {
  const last = useRef<{ part: Part } | null>(null);
  const subscribe = useCallback((listener: () => void) => chat.subscribe(listener), [chat]);
  const snapshot = () => {
    const part = selector(chat.state);
    if (last.current && equal(last.current.part, part)) return last.current.part;
    last.current = { part };
    return part;
  };
  return useSyncExternalStore(subscribe, snapshot, snapshot);
}

function identity(state: ChatState): ChatState {
  return state;
}
