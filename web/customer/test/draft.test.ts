// Whose draft is shown: nobody reads what another customer has written in the same browser.

import { memoryStorage } from "@onya/client";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { draftOf, keepDraft } from "../src/composer/draft.ts";
import { ENGLISH } from "../src/i18n/language.ts";
import { App } from "../src/shell/App.tsx";
import { fakeChat, stateOf } from "./fake-chat.ts";

const NOBODY = { participant: null, text: "" };

beforeEach(() => void vi.stubGlobal("sessionStorage", memoryStorage()));
afterEach(() => void vi.unstubAllGlobals());

const shownTo = (participant: string | null) =>
  renderToStaticMarkup(createElement(App, { chat: fakeChat(stateOf({ participant })), language: ENGLISH }));

test("a draft is shown again to whoever wrote it, and to nobody else", () => {
  keepDraft({ participant: "a", text: "my account number is 42" });
  expect(shownTo("a")).toContain("number is 42");
  expect(shownTo("b")).not.toContain("number is 42");
  expect(shownTo(null)).not.toContain("number is 42");
});

test("a draft ends where another participant begins", () => {
  expect(draftOf({ participant: "a", text: "secret" }, "b")).toEqual({ participant: "b", text: "" });
  expect(draftOf({ participant: "a", text: "secret" }, null)).toEqual(NOBODY);
});

test("the next participant's empty draft takes the place of the one that was kept", () => {
  keepDraft({ participant: "a", text: "secret" });
  keepDraft(draftOf(NOBODY, "b"));
  expect(draftOf(NOBODY, "a").text).toBe("");
});

test("what is typed before the server has said who is writing stays, and nothing kept is lost meanwhile", () => {
  keepDraft({ participant: "a", text: "from before" });
  keepDraft(NOBODY);
  expect(draftOf(NOBODY, "a").text).toBe("from before");
  expect(draftOf({ participant: null, text: "quick" }, "a")).toEqual({ participant: "a", text: "quick" });
});

test("another chat gets an app of its own, with nothing in it of the one before", () => {
  const chat = fakeChat(stateOf());
  const keyOf = (of: typeof chat, focus: number) => App({ chat: of, language: ENGLISH, focus }).key;
  expect(keyOf(chat, 1)).not.toBeNull();
  expect(keyOf(chat, 2)).toBe(keyOf(chat, 1));
  expect(keyOf(fakeChat(stateOf()), 1)).not.toBe(keyOf(chat, 1));
});
