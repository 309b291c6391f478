// What the launcher counts.

import type { ChatState, ReplyItem, TimelineItem } from "@onya/client";
import { emptyConversation, memoryStorage } from "@onya/client";
import { expect, test } from "vitest";
import { countUnread, Unread } from "../src/embed/unread.ts";

const mine: TimelineItem = message(2, true);
const theirs: TimelineItem = message(7, false);
const ended = reply(4, "ended");

function message(seq: number, isMine: boolean): TimelineItem {
  const role = isMine ? "customer" : "agent";
  return { kind: "message", key: `m${seq}`, role, mine: isMine, text: "x", at: 0, seq, delivery: "durable" };
}

function reply(seq: number | null, state: ReplyItem["state"], replaced = false): ReplyItem {
  return { kind: "reply", key: `r${seq}`, turn: 3, state, text: "x", at: 0, seq, replaced };
}

function stateOf(timeline: readonly TimelineItem[], id = "c1"): Pick<ChatState, "conversation" | "timeline"> {
  return { timeline, conversation: emptyConversation(id) };
}

test("what others have said and what has ended counts, from the position that was seen last", () => {
  expect(countUnread([mine, ended, theirs], 0)).toBe(2);
  expect(countUnread([mine, ended, theirs], 4)).toBe(1);
  expect(countUnread([mine, ended, theirs], 7)).toBe(0);
});

test("one's own, what is still being written and what was replaced does not count", () => {
  expect(countUnread([mine, reply(null, "streaming"), reply(4, "ended", true)], 0)).toBe(0);
});

test("what was said while nobody looked is still unread after a reload", () => {
  const storage = memoryStorage();
  new Unread(storage).look(stateOf([mine]), true);
  expect(new Unread(storage).look(stateOf([mine, ended]), false)).toBe(1);
  expect(new Unread(storage).look(stateOf([mine, ended, theirs]), false)).toBe(2);
  expect(new Unread(storage).look(stateOf([mine, ended, theirs]), true)).toBe(0);
  expect(new Unread(storage).look(stateOf([mine, ended, theirs]), false)).toBe(0);
});

test("of a conversation that was never shown, what is there is taken as seen", () => {
  const storage = memoryStorage();
  expect(new Unread(storage).look(stateOf([mine, ended]), false)).toBe(0);
  expect(new Unread(storage).look(stateOf([mine, ended], "c2"), false)).toBe(0);
  expect(new Unread(storage).look(stateOf([mine, ended, theirs], "c2"), false)).toBe(1);
});
