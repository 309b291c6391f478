// The bindings, as far as they go without a document: what is drawn first, and how often.

import { type Chat, type ChatState, createChat, memoryStorage } from "@onya/client";
import { useChat, useChatSelector } from "@onya/client/react";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { expect, test, vi } from "vitest";

import { fakeSockets } from "./fake-socket.ts";

function chatWithMessage(): Chat {
  const { webSocket } = fakeSockets();
  const chat = createChat({ url: "http://chat.test", webSocket, storage: memoryStorage(), locks: null });
  chat.say("Hello");
  return chat;
}

const keys = (state: ChatState) => state.timeline.map(({ key }) => key);
const sameKeys = (a: string[], b: string[]) => a.join() === b.join();

function Status({ chat }: { chat: Chat }) {
  return useChat(chat).connection.status;
}

function Count({ chat, drawn }: { chat: Chat; drawn: () => void }) {
  drawn();
  return String(useChatSelector(chat, keys, sameKeys).length);
}

test("the first picture has the state of the chat", () => {
  expect(renderToString(createElement(Status, { chat: chatWithMessage() }))).toBe("stopped");
});

test("a selector that makes something new each time is drawn once, if parts can be compared", () => {
  const drawn = vi.fn();
  expect(renderToString(createElement(Count, { chat: chatWithMessage(), drawn }))).toBe("1");
  expect(drawn).toHaveBeenCalledTimes(1);
});
