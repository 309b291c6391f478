// The customer's page: one conversation, live in every tab.

import { anonymousToken, ApiError, entriesBefore, openConversation, socketUrl } from "./api.js";
import { announcer, composer, stayAtEnd } from "./compose.js";
import { CustomerSession } from "./session.js";
import { timeline } from "./timeline.js";
import { drawTimeline, setText } from "./view.js";

const TOKEN_KEY = "onya.customer";
const UNSENT_KEY = "onya.unsent";
const BAD_TOKEN = 3500;
const TOKEN_EXPIRED = 3002;
const FORBIDDEN = 3502;
const TYPING_SHOWN_MS = 8_000;
const RETRY_START_MS = 2_000;
const SHORT_BREAK_MS = 800;

const $ = (id) => document.getElementById(id);
let session = null;
let identity = null;
let speak = announcer($("announcer"), "customer");
let bannerText = null;
let awaySince = null;
let typingSince = { frame: null, at: 0 };
const end = stayAtEnd($("scroll"), $("newest"));
const writing = composer($("composer"), {
  send: (text) => {
    session.say(text);
    end.toEnd();
  },
  typing: (active) => session?.typing(active),
  maxBytes: () => session?.limits.maxMessageBytes ?? Infinity,
  mayWrite: () => session !== null && session.state.control?.state !== "closed",
});

const on = {
  retry: (id) => session.retry(id),
  discard: (id) => session.discard(id),
  regenerate: (reply) => session.regenerate(reply),
  rate: (reply, score, comment) => session.rate(reply, score, comment),
};

/** Finds who we are and which conversation is ours, then connects. Tries again for as long as it takes. */
async function start() {
  try {
    identity = readIdentity() ?? saveIdentity(await anonymousToken());
    const { id } = await openConversation(identity.token, navigator.language);
    connect(id);
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === 401) localStorage.removeItem(TOKEN_KEY);
    bannerText = problem instanceof ApiError ? problem.message : "The server cannot be reached. Trying again…";
    draw();
    setTimeout(start, problem.retryAfterMs ?? RETRY_START_MS);
  }
}

function readIdentity() {
  try {
    const held = JSON.parse(localStorage.getItem(TOKEN_KEY));
    return held?.token && held.expires_at > Date.now() ? held : null;
  } catch {
    return null;
  }
}

function saveIdentity(fresh) {
  localStorage.setItem(TOKEN_KEY, JSON.stringify(fresh));
  return fresh;
}

function connect(conversation) {
  bannerText = null;
  session = new CustomerSession({
    url: socketUrl(`/v1/conversations/${conversation}/socket`),
    token: identity.token,
    conversation,
    saved: readUnsent(conversation),
    onChange: changed,
    onRefused: refused,
    onEnded: ended,
  });
  session.open();
}

function readUnsent(conversation) {
  try {
    const held = JSON.parse(sessionStorage.getItem(UNSENT_KEY));
    return held?.conversation === conversation ? held.items : [];
  } catch {
    return [];
  }
}

function refused(refusal, frame) {
  if (refusal.code === "nothing_to_do" && frame) return;
  bannerText = refusal.message;
  setTimeout(() => {
    bannerText = null;
    draw();
  }, 6_000);
}

function ended(code, reason) {
  session = null;
  if (code === BAD_TOKEN || code === TOKEN_EXPIRED) localStorage.removeItem(TOKEN_KEY);
  if ([BAD_TOKEN, TOKEN_EXPIRED, FORBIDDEN].includes(code)) {
    setTimeout(start, RETRY_START_MS);
    return;
  }
  bannerText = `The server ended this connection (${reason || code}). Reload to try again.`;
  draw();
}

/** Many frames can arrive between two pictures; one drawing is enough. */
let drawing = false;
function changed() {
  if (session) saveUnsent();
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function saveUnsent() {
  const items = session.outbox.save();
  const wanted = items.length > 0 ? JSON.stringify({ conversation: session.state.id, items }) : null;
  if (wanted === null) sessionStorage.removeItem(UNSENT_KEY);
  else sessionStorage.setItem(UNSENT_KEY, wanted);
}

function draw() {
  drawBanner();
  writing.refresh();
  if (!session) return;
  const { state, outbox } = session;
  const items = timeline(state, outbox, "customer");
  drawTimeline($("timeline"), items, { view: "customer", me: session.participant, on });
  const known = state.historyEpoch !== null;
  const isNews = known && speak(items);
  const closed = state.control?.state === "closed";
  $("welcome").hidden = !known || items.length > 0 || closed;
  $("closed").hidden = !closed;
  $("composer").hidden = closed;
  $("older").hidden = !state.hasOlder;
  $("stop").hidden = !state.live;
  drawControl(state);
  drawTyping(state.typing);
  drawVerdict(state.entries);
  end.drawn(isNews);
}

function drawBanner() {
  const away = session !== null && session.status !== "live" && session.state.historyEpoch !== null;
  if (!away) awaySince = null;
  else if (awaySince === null) {
    awaySince = Date.now();
    setTimeout(changed, SHORT_BREAK_MS);
  }
  const text = away && Date.now() - awaySince >= SHORT_BREAK_MS ? "Connection lost. Reconnecting… What you write is kept and sent." : bannerText;
  $("banner").hidden = !text;
  setText($("banner"), text ?? "");
}

function drawControl({ control, entries, queuePosition }) {
  const state = control?.state ?? "none";
  $("human").hidden = state !== "assistant";
  $("assistant").hidden = state !== "queue";
  $("end").hidden = state === "closed" || state === "none";
  $("control").dataset.control = state;
  setText($("control"), controlText(state, entries, queuePosition));
}

function controlText(state, entries, queuePosition) {
  switch (state) {
    case "assistant":
      return "You are talking to the assistant";
    case "queue":
      return queuePosition ? `Waiting for a person – number ${queuePosition} in line` : "Waiting for a person";
    case "agent":
      return `You are talking to ${agentName(entries) ?? "a person"}`;
    case "closed":
      return "Closed";
    default:
      return "Connecting…";
  }
}

function agentName(entries) {
  return entries.findLast((entry) => entry.kind === "control_changed" && entry.control.state === "agent")?.by?.name;
}

function drawTyping(typing) {
  if (typing !== typingSince.frame) typingSince = { frame: typing, at: Date.now() };
  const shown = typing && typing.role !== "customer" && Date.now() - typingSince.at < TYPING_SHOWN_MS;
  $("typing").hidden = !shown;
  if (!shown) return;
  setText($("typing"), `${typing.name ?? "Support"} is writing…`);
  setTimeout(changed, TYPING_SHOWN_MS);
}

function drawVerdict(entries) {
  const verdict = entries.findLast((entry) => entry.kind === "rated" && !entry.reply)?.score;
  for (const button of $("csat").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.score === verdict));
  }
}

$("stop").onclick = () => session.stopReply();
$("human").onclick = () => session.escalate();
$("assistant").onclick = () => session.backToAssistant();
$("end").onclick = () => $("confirm").showModal();
$("confirm").onclose = () => {
  if ($("confirm").returnValue === "end") session.close();
};
$("csat").onclick = ({ target }) => {
  if (target.dataset.score) session.rate(undefined, target.dataset.score);
};
$("again").onclick = () => {
  session.connection.stop();
  session = null;
  $("timeline").replaceChildren();
  speak = announcer($("announcer"), "customer");
  start();
};
$("older").onclick = async () => {
  const { entries, has_more: more } = await entriesBefore(identity.token, session.state.id, session.state.entries[0].seq);
  const area = $("scroll");
  const fromEnd = area.scrollHeight - area.scrollTop;
  session.prependOlder(entries, more);
  draw();
  area.scrollTop = area.scrollHeight - fromEnd;
};
for (const starter of document.querySelectorAll(".starters button")) {
  starter.onclick = () => session?.say(starter.textContent);
}
addEventListener("online", () => session?.connection.hurry());
addEventListener("visibilitychange", () => !document.hidden && session?.connection.hurry());
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !$("stop").hidden && !$("confirm").open) session.stopReply();
});

start();
