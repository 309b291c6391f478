// What the desk does around a timeline: writing, staying at its end, and saying aloud what is new.

const TYPING_EVERY_MS = 3_000;
const TYPING_STOPS_AFTER_MS = 5_000;
const encoder = new TextEncoder();

/** Wires the form. `send(text)`, `typing(active)`, `maxBytes()`. Returns `{ refresh, focus }`. */
export function composer(form, { send, typing, maxBytes, mayWrite }) {
  const text = form.querySelector("textarea");
  const button = form.querySelector("[type=submit]");
  const hint = form.querySelector(".hint");
  const usualHint = hint.textContent;
  const sign = typingSign(typing);

  const refresh = () => {
    const over = encoder.encode(text.value.trim()).length - maxBytes();
    text.disabled = !mayWrite();
    button.disabled = text.disabled || text.value.trim() === "" || over > 0;
    hint.classList.toggle("problem", over > 0);
    hint.textContent = over > 0 ? `Too long by ${over} bytes.` : usualHint;
    text.style.height = "auto";
    if (text.value) text.style.height = `${text.scrollHeight + 2}px`;
  };
  text.oninput = () => {
    refresh();
    sign(text.value.trim() !== "");
  };
  text.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    refresh();
    if (button.disabled) return;
    const said = text.value.trim();
    text.value = "";
    sign(false);
    refresh();
    send(said);
    text.focus();
  };
  return { refresh, focus: () => text.focus(), element: text };
}

/** Tells the other side at most every few seconds, and that it is over after a pause. */
function typingSign(typing) {
  let lastSent = 0;
  let timer = null;
  return (active) => {
    clearTimeout(timer);
    if (!active) {
      if (lastSent) typing(false);
      lastSent = 0;
      return;
    }
    if (Date.now() - lastSent > TYPING_EVERY_MS) {
      lastSent = Date.now();
      typing(true);
    }
    timer = setTimeout(() => {
      lastSent = 0;
      typing(false);
    }, TYPING_STOPS_AFTER_MS);
  };
}

/** Keeps a scrolled area at its end while the reader is there; otherwise offers the way. */
export function stayAtEnd(area, button) {
  let atEnd = true;
  area.onscroll = () => {
    atEnd = area.scrollHeight - area.scrollTop - area.clientHeight < 48;
    if (atEnd) button.hidden = true;
  };
  const toEnd = () => {
    atEnd = true;
    button.hidden = true;
    area.scrollTop = area.scrollHeight;
  };
  button.onclick = toEnd;
  new ResizeObserver(() => atEnd && toEnd()).observe(area);
  return {
    toEnd,
    /** Call after drawing; `isNews` if something was added that the reader should know of. */
    drawn(isNews) {
      if (atEnd) toEnd();
      else if (isNews) button.hidden = false;
    },
  };
}

/** Says finished messages, replies and notices aloud, each once; not what was there at the beginning, nor each token. */
export function announcer(region) {
  let said = null;
  let floor = 0;
  return (items) => {
    const finished = items.filter((item) => item.kind !== "reply" || item.state === "ended");
    if (said === null) {
      said = new Set(finished.map(({ key }) => key));
      floor = Math.max(0, ...finished.map(({ seq }) => seq ?? 0));
      return false;
    }
    const news = finished.filter(({ key, seq }) => !said.has(key) && (seq === undefined || seq > floor));
    for (const { key } of news) said.add(key);
    const aloud = news.filter((item) => !item.own && !(item.kind === "message" && item.role !== "customer"));
    if (aloud.length > 0) region.textContent = aloud.map(spoken).join(" ");
    return aloud.length > 0;
  };
}

function spoken(item) {
  if (item.kind === "notice") return item.text;
  const who = item.kind === "reply" ? "Assistant" : (item.name ?? item.role);
  return `${who}: ${item.text}`;
}
