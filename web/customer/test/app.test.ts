// What the app says about each state, in markup. What it does is tested in a browser.

import { type ChatState, emptyConversation } from "@onya/client";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, test } from "vitest";
import { ENGLISH } from "../src/i18n/language.ts";
import { App } from "../src/shell/App.tsx";
import { fakeChat, myMessage, reply, stateOf } from "./fake-chat.ts";
import { textOf } from "./html.ts";

function appIn(what: Partial<ChatState>): string {
  return renderToStaticMarkup(createElement(App, { chat: fakeChat(stateOf(what)), language: ENGLISH }));
}

function said(what: Partial<ChatState>): string {
  return textOf(appIn(what));
}

describe("the connection", () => {
  test.each([
    [{ status: "offline" }, "You are offline"],
    [{ status: "online", restored: true }, "Connected again"],
    [{ status: "stopped" }, "Disconnected"],
    [{ status: "ended", code: 3500, reason: "bad_token" }, "no longer signed in"],
    [{ status: "ended", code: 3504, reason: "unsupported_version" }, "older than the server"],
    [{ status: "ended", code: 3503, reason: "limit" }, "(limit)"],
  ] satisfies [ChatState["connection"], string][])("%j", (connection, text) => {
    expect(said({ connection })).toContain(text);
  });

  test("nothing is said while all is well, nor about a break that has only begun", () => {
    expect(appIn({})).not.toContain('id="banner"');
    expect(appIn({ connection: { status: "reconnecting", attempt: 1, retryAt: 0 } })).not.toContain('id="banner"');
  });
});

describe("who answers", () => {
  test("a place in the queue, with the way back", () => {
    const queued = appIn({ control: { state: "queue" }, queuePosition: 2 });
    expect(textOf(queued)).toContain("Number 2 in the queue");
    expect(queued).toContain('id="assistant"');
    expect(said({ control: { state: "queue" } })).toContain("Waiting for a person");
  });

  test("an agent by name, isolated from the sentence around it", () => {
    const control = { state: "agent" as const, id: "a" };
    expect(said({ control, agentName: "Anna" })).toContain("You are talking to \u2068Anna\u2069");
    expect(said({ control, agentName: "A\u202ennA" })).toContain("\u2068A\u27e8U+202E\u27e9nnA\u2069");
    expect(said({ control, typing: { role: "agent", name: "Anna" } })).toContain("\u2068Anna\u2069 is typing");
  });

  test("a closed conversation offers a new one and nothing to write in", () => {
    const closed = appIn({ control: { state: "closed" } });
    expect(closed).toContain('id="again"');
    expect(closed).not.toContain("<textarea");
  });
});

describe("a message", () => {
  test.each(["sending", "durable", "failed"] as const)("that is %s says so", (delivery) => {
    const shown = { sending: "Sending…", durable: "Sent", failed: "Not sent" }[delivery];
    const app = appIn({ timeline: [myMessage({ delivery })] });
    expect(textOf(app)).toContain(shown);
    expect(app).toContain(`data-state="${delivery}"`);
  });

  test("that failed says why, and can be tried again if that may help", () => {
    const failure = { code: "busy" as const, message: "x", canRetry: true };
    const app = appIn({ timeline: [myMessage({ delivery: "failed", id: "1", failure })] });
    expect(textOf(app)).toContain("The server is busy");
    expect(app).toContain('data-action="retry"');
    const hopeless = { ...failure, code: "closed" as const, canRetry: false };
    const other = appIn({ timeline: [myMessage({ delivery: "failed", id: "1", failure: hopeless })] });
    expect(other).not.toContain('data-action="retry"');
    expect(other).toContain('data-action="discard"');
  });

  test("of the customer is shown as it was typed", () => {
    const app = appIn({ timeline: [myMessage({ text: "**a** <b>c</b>\n[x](https://x.example)" })] });
    expect(textOf(app)).toContain("**a** <b>c</b>\n[x](https://x.example)");
    expect(app).not.toContain("<strong>");
  });
});

describe("a reply", () => {
  test("keeps its place and its element from thinking to its end", () => {
    const places = [
      reply({ state: "pending", text: "", seq: null }),
      reply({ state: "streaming", text: "H", seq: null }),
      reply(),
    ].map((item) => appIn({ timeline: [myMessage(), item], turn: { state: "idle" } }).match(/<li[^>]*data-key="r"/g));
    expect(places.every((found) => found?.length === 1)).toBe(true);
    expect(said({ timeline: [reply({ state: "pending", text: "", seq: null })] })).toContain("Thinking…");
  });

  test.each([
    ["stopped", "You stopped this reply"],
    ["superseded", "because you wrote again"],
    ["taken_over", "A person took over here"],
    ["escalated", "A person was asked for here"],
    ["closed", "The conversation was closed here"],
  ] as const)("that ended as %s says so", (outcome, text) => {
    expect(said({ timeline: [reply({ outcome })] })).toContain(text);
    expect(said({ timeline: [reply({ outcome, text: "" })] })).toContain(text);
  });

  test("that failed says why and can be asked for again", () => {
    const app = appIn({ timeline: [reply({ outcome: "failed", failure: "timed_out" })] });
    expect(textOf(app)).toContain("The reply took too long.");
    expect(app).toContain('data-action="regenerate"');
  });

  test("can be asked for again only while nobody has said anything since, and not from an agent's hands", () => {
    const since = myMessage({ key: "m2", seq: 5 });
    expect(appIn({ timeline: [reply()] })).toContain('data-action="regenerate"');
    expect(appIn({ timeline: [reply(), since] })).not.toContain('data-action="regenerate"');
    expect(appIn({ timeline: [reply()], control: { state: "agent", id: "a" } })).not.toContain("regenerate");
  });

  test("that was answered again is folded away", () => {
    expect(said({ timeline: [reply({ replaced: true })] })).toContain("replaced by a newer one");
  });

  test("in progress can be stopped", () => {
    expect(appIn({ turn: { state: "pending", turn: 3 } })).toContain('id="stop"');
    expect(appIn({})).not.toContain('id="stop"');
  });
});

test("everything that can be pressed has a name, and the log does not read itself out", () => {
  const app = appIn({ timeline: [myMessage(), reply()], turn: { state: "streaming", turn: 3 } });
  for (const [, attributes = "", content = ""] of app.matchAll(/<button([^>]*)>(.*?)<\/button>/gs)) {
    expect(attributes.includes("aria-label=") || textOf(content).trim() !== "", attributes).toBe(true);
  }
  expect(app).toMatch(/role="log" aria-live="off"/);
  expect(app).toMatch(/aria-live="polite"/);
});

test("drawing the timeline looks at each item a few times, however long it is", () => {
  let reads = 0;
  const messages = Array.from({ length: 400 }, (_, at) => myMessage({ key: `m${at}` }));
  const timeline = new Proxy(messages, {
    get(items, name, receiver) {
      reads += 1;
      return Reflect.get(items, name, receiver);
    },
  });
  appIn({ timeline });
  expect(reads).toBeLessThan(messages.length * 20);
});

test("an erased conversation is one line, and is not judged", () => {
  const conversation = { ...emptyConversation("c"), historyEpoch: "e", erased: true };
  const timeline = [{ kind: "erased", key: "entry-9", at: 9, seq: 9 } as const];
  const page = appIn({ conversation, timeline, control: { state: "closed" } });
  expect(textOf(page)).toContain("The content of this conversation was erased.");
  expect(page).not.toContain('id="csat"');
  expect(page).toContain('id="again"');
});
