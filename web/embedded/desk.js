// The desk: who waits, what is open, and one conversation to watch, take and answer.

import { ApiError, entriesBefore, openConversations, socketUrl } from "./api.js";
import { announcer, composer, stayAtEnd } from "./compose.js";
import { DeskSession } from "./session.js";
import { reasonText, timeline } from "./timeline.js";
import { drawTimeline, element, reconcile, setText } from "./view.js";

const TOKEN_KEY = "onya.staff";
const LIST_EVERY_MS = 4_000;
const NOTICE_SHOWN_MS = 6_000;

const $ = (id) => document.getElementById(id);
let token = sessionStorage.getItem(TOKEN_KEY);
let session = null;
let open = [];
let selected = null;
let speak = null;
let notice = null;
const end = stayAtEnd($("scroll"), $("newest"));
const writing = composer($("composer"), {
  send: (text) => {
    session.say(selected, text);
    end.toEnd();
  },
  typing: (active) => session && selected && session.typing(selected, active),
  maxBytes: () => session?.limits.maxMessageBytes ?? Infinity,
  mayWrite: isMine,
});

function thread() {
  return session?.threads.get(selected) ?? null;
}

function isMine() {
  const control = thread()?.state.control;
  return control?.state === "agent" && control.id === session.participant;
}

function connect() {
  session = new DeskSession({
    url: socketUrl("/v1/desk/socket"),
    token,
    onChange: changed,
    onRefused: (refusal) => say(refusal.code === "control_changed" ? "It changed meanwhile: look again." : refusal.message),
    onEnded: (code, reason) => signOut(`The server ended the connection: ${reason || code}.`),
  });
  session.open();
  refreshOpen();
  draw();
}

function signOut(problem) {
  session?.connection.stop();
  session = null;
  token = null;
  selected = null;
  sessionStorage.removeItem(TOKEN_KEY);
  setText($("login-problem"), problem ?? "");
  $("login-problem").hidden = !problem;
  draw();
}

function say(text) {
  notice = text;
  draw();
  setTimeout(() => {
    if (notice === text) notice = null;
    draw();
  }, NOTICE_SHOWN_MS);
}

async function refreshOpen() {
  if (!session || document.hidden) return;
  try {
    open = (await openConversations(token)).conversations;
    changed();
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === 401) signOut(problem.message);
  }
}

function select(conversation) {
  if (selected === conversation) return;
  const before = thread();
  const keep = before?.outbox.items.length > 0 || isMine();
  if (before && !keep) session.unwatch(selected);
  selected = conversation;
  notice = null;
  speak = announcer($("announcer"));
  $("timeline").replaceChildren();
  if (conversation) session.watch(conversation);
  end.toEnd();
  draw();
}

let drawing = false;
function changed() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function draw() {
  $("login").hidden = session !== null;
  $("desk").hidden = session === null;
  if (!session) return;
  document.body.classList.toggle("working", selected !== null);
  $("status").dataset.control = session.status === "live" ? "agent" : "none";
  setText($("status"), session.status === "live" ? "Connected" : "Reconnecting…");
  drawQueue();
  drawOpen();
  drawConversation();
}

function drawQueue() {
  const { entries, waiting } = session.queue;
  setText($("queue-count"), String(waiting));
  $("queue-empty").hidden = entries.length > 0;
  const items = entries.map((entry) => ({ key: entry.conversation, entry }));
  reconcile($("queue"), items, queueCard, (card, { entry }) => {
    card.classList.toggle("selected", entry.conversation === selected);
    card.dataset.priority = entry.priority;
    setText(card.querySelector(".name"), shortName(entry.conversation));
    setText(card.querySelector(".age"), age(entry.since));
    setText(card.querySelector(".what"), entry.summary ?? capital(reasonText(entry.reason)));
    card.querySelector(".claim").onclick = () => {
      select(entry.conversation);
      session.claim(entry.conversation, entry.control_version);
    };
  });
}

function queueCard({ key }) {
  const card = conversationCard(key);
  const claim = element("button", "primary claim", "Claim");
  claim.type = "button";
  claim.setAttribute("aria-label", `Claim ${shortName(key)}`);
  card.append(claim);
  return card;
}

function conversationCard(conversation) {
  const card = element("li", "card");
  const watch = element("button", "watch");
  watch.type = "button";
  watch.append(element("span", "name"), element("span", "age"), element("span", "what"));
  watch.onclick = () => select(conversation);
  card.append(watch);
  return card;
}

function drawOpen() {
  const waiting = new Set(session.queue.entries.map(({ conversation }) => conversation));
  const shown = open.filter(({ id }) => !waiting.has(id)).sort((a, b) => b.last_seq - a.last_seq || (a.id < b.id ? 1 : -1));
  setText($("open-count"), String(shown.length));
  $("open-empty").hidden = shown.length > 0;
  const items = shown.map((conversation) => ({ key: conversation.id, conversation }));
  reconcile($("open"), items, ({ key }) => conversationCard(key), (card, { conversation }) => {
    const control = session.threads.get(conversation.id)?.state.control ?? conversation.control;
    card.classList.toggle("selected", conversation.id === selected);
    card.dataset.control = control.state;
    setText(card.querySelector(".name"), shortName(conversation.id));
    setText(card.querySelector(".age"), age(conversation.opened_at));
    setText(card.querySelector(".what"), controlText(control));
  });
}

function drawConversation() {
  const shown = thread();
  $("nothing").hidden = shown !== null;
  $("conversation").hidden = shown === null;
  if (!shown) return;
  const { state, outbox } = shown;
  const items = timeline(state, outbox);
  const on = {
    retry: (id) => session.retry(selected, id),
    discard: (id) => session.discard(selected, id),
  };
  drawTimeline($("timeline"), items, { me: session.participant, on });
  const isNews = state.historyEpoch !== null && speak(items);
  setText($("title"), shortName(selected));
  drawControl(state);
  drawTyping(state.typing);
  drawBanner();
  $("older").hidden = !state.hasOlder;
  $("composer").hidden = !isMine();
  writing.refresh();
  end.drawn(isNews);
}

function drawControl({ control }) {
  const state = control?.state ?? "none";
  const mayTake = state === "assistant" || state === "queue" || (state === "agent" && session.role === "supervisor");
  $("take").hidden = isMine() || !mayTake;
  $("to-assistant").hidden = $("to-queue").hidden = !isMine();
  $("close").hidden = state === "closed" || !(isMine() || session.role === "supervisor");
  $("control").dataset.control = state;
  setText($("control"), control ? controlText(control) : "Loading…");
}

function controlText(control) {
  switch (control.state) {
    case "assistant":
      return "The assistant answers";
    case "queue":
      return "Waits for a person";
    case "agent":
      return control.id === session.participant ? "You answer" : "A colleague answers";
    default:
      return "Closed";
  }
}

function drawTyping(typing) {
  const shown = typing && typing.participant !== session.participant;
  $("typing").hidden = !shown;
  if (shown) setText($("typing"), `${typing.name ?? (typing.role === "customer" ? "The customer" : "A colleague")} is writing…`);
}

function drawBanner() {
  const text = session.status === "live" ? notice : "Connection lost. Reconnecting… What you write is kept and sent.";
  $("banner").hidden = !text;
  setText($("banner"), text ?? "");
}

/** A name that people can say: the random end of the identifier. */
function shortName(conversation) {
  return `Visitor ${conversation.slice(-4)}`;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function age(since) {
  const minutes = Math.floor((Date.now() - since) / 60_000);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min`;
  return minutes < 60 * 24 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60 / 24)} d`;
}

$("login-form").onsubmit = (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  $("token").value = "";
  sessionStorage.setItem(TOKEN_KEY, token);
  connect();
};
$("leave").onclick = () => signOut();
$("back").onclick = () => select(null);
$("take").onclick = () => session.takeOver(selected);
$("to-assistant").onclick = () => session.handBack(selected, "assistant");
$("to-queue").onclick = () => session.handBack(selected, "queue");
$("close").onclick = () => session.close(selected);
$("older").onclick = async () => {
  const shown = thread();
  const { entries, has_more: more } = await entriesBefore(token, selected, shown.state.entries[0].seq);
  const area = $("scroll");
  const fromEnd = area.scrollHeight - area.scrollTop;
  session.prependOlder(selected, entries, more);
  draw();
  area.scrollTop = area.scrollHeight - fromEnd;
};
addEventListener("online", () => session?.connection.hurry());
addEventListener("visibilitychange", () => {
  if (document.hidden || !session) return;
  session.connection.hurry();
  refreshOpen();
});
setInterval(refreshOpen, LIST_EVERY_MS);

if (token) connect();
else draw();
