// Drawing a conversation: items of a timeline to elements, keyed, so that focus and selection survive each frame.
//
// Text goes in as text, never as markup.

/** A new element with a class and, if given, text. */
export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Changes text only where it differs; text that grew at its end is extended, so that a selection stays. */
export function setText(node, text) {
  const held = node.textContent;
  if (held === text) return;
  if (held && text.startsWith(held) && node.childNodes.length === 1) node.firstChild.appendData(text.slice(held.length));
  else node.textContent = text;
}

/** Makes the children of `list` one per item, in order. `make(item)` builds one, `update(node, item)` refreshes it. */
export function reconcile(list, items, make, update) {
  const held = new Map(Array.from(list.children, (child) => [child.dataset.key, child]));
  let next = list.firstElementChild;
  for (const item of items) {
    let node = held.get(item.key);
    held.delete(item.key);
    if (!node) {
      node = make(item);
      node.dataset.key = item.key;
    }
    if (node === next) next = next.nextElementSibling;
    else list.insertBefore(node, next);
    update(node, item);
  }
  for (const leftover of held.values()) leftover.remove();
}

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const OUTCOMES = {
  stopped: "Stopped",
  superseded: "Cut short: answered again",
  taken_over: "Cut short: a person took over",
  escalated: "Cut short: a person was asked for",
  closed: "Cut short: the conversation was closed",
};
const FAILURES = {
  model_unavailable: "The assistant could not be reached.",
  reply_cut: "The answer broke off.",
  reply_too_long: "The answer became too long and was cut.",
  content_refused: "The assistant declined to answer this.",
  timed_out: "The answer took too long.",
  attempts_exhausted: "The answer failed, also when tried again.",
  quarantined: "The answer failed.",
};

/** Draws a timeline. `on`: what buttons do: `retry(id)`, `discard(id)`. `me` is the participant. */
export function drawTimeline(list, items, { me, on }) {
  reconcile(list, items, (item) => make(item, on), (node, item) => update(node, item, me));
}

function make(item, on) {
  const node = element("li", `item ${item.kind}`);
  if (item.kind === "notice") {
    node.append(element("p", "text"));
    return node;
  }
  const foot = element("div", "foot");
  foot.append(element("p", "marker"));
  if (item.kind === "message") foot.append(sendProblem(item, on));
  node.append(element("p", "author"), element("div", "text"), foot);
  return node;
}

function sendProblem({ id }, on) {
  const tools = element("div", "problem");
  const retry = element("button", "link", "Try again");
  const discard = element("button", "link", "Discard");
  retry.type = discard.type = "button";
  retry.onclick = () => on.retry(id);
  discard.onclick = () => on.discard(id);
  tools.append(element("span", "reason"), retry, discard);
  return tools;
}

function update(node, item, me) {
  if (item.kind === "notice") {
    node.classList.toggle("strong", item.strong === true);
    setText(node.firstElementChild, item.text);
    return;
  }
  const [author, text, foot] = node.children;
  const [marker, tools] = foot.children;
  const own = item.own || (item.kind === "message" && item.authorId === me);
  setText(author, authorOf(item, own));
  setText(text, item.text);
  text.hidden = item.text === "";
  node.dataset.role = item.kind === "reply" ? "assistant" : item.role;
  node.dataset.state = item.kind === "reply" ? item.state : item.status;
  node.classList.toggle("mine", own);
  node.classList.toggle("replaced", item.replaced === true);
  setText(marker, markerOf(item, own));
  marker.hidden = marker.textContent === "";
  if (item.kind === "message") updateProblem(tools, item);
}

function authorOf(item, own) {
  if (item.kind === "reply") return "Assistant";
  if (own) return "You";
  return item.name ?? (item.role === "customer" ? "Customer" : "Colleague");
}

function markerOf(item, own) {
  if (item.kind === "message") {
    if (item.status === "sending") return "Sending…";
    if (item.status === "failed") return "";
    return own ? `Sent ${time.format(item.at)}` : time.format(item.at);
  }
  if (item.state === "thinking") return "Thinking…";
  if (item.state === "streaming") return "";
  if (item.replaced) return "Earlier answer";
  if (item.outcome === "failed") return FAILURES[item.failure] ?? "The answer failed.";
  return OUTCOMES[item.outcome] ?? time.format(item.at);
}

function updateProblem(tools, item) {
  tools.hidden = item.status !== "failed";
  setText(tools.firstElementChild, item.reason ? `Not sent: ${item.reason}.` : "Not sent.");
}
