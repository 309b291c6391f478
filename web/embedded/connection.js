// One logical connection: a WebSocket that is replaced whenever it has to be.
//
// It says hello, answers pings, notices silence, and connects again with growing, jittered pauses. After `goaway` the
// new socket is opened first and the old one closed once the new one is in step, so that nothing is missed between.
// What the frames mean is not its business: it hands them to `onFrame`.

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;
const IN_STEP_TIMEOUT_MS = 10_000;
const STABLE_AFTER_MS = 5_000;
const FINAL_CLOSE_CODES = { from: 3500, to: 3999 };
const TOKEN_EXPIRED = 3002;

export class Connection {
  /**
   * `url`: the socket's address. `hello()`: the first frame. `isInStep(frame)`: whether this frame of a new socket shows
   * that it can replace the old one; `onInStep()` comes just before that frame. `onFrame(frame)`. `onStatus(status)`
   * with "connecting", "live", "waiting" or "ended". `onEnded(code, reason)`: the server's word is final, or the token
   * has to be renewed.
   */
  constructor(options, { WebSocket = globalThis.WebSocket, random = Math.random } = {}) {
    this.options = options;
    this.WebSocket = WebSocket;
    this.random = random;
    this.current = null;
    this.candidate = null;
    this.failures = 0;
    this.notBefore = 0;
    this.timer = null;
    this.stopped = false;
  }

  open() {
    if (this.stopped || this.candidate) return;
    clearTimeout(this.timer);
    this.timer = null;
    if (!this.current) this.options.onStatus("connecting");
    this.candidate = this.#dial();
  }

  /** Sends a frame on the live socket; false if there is none. */
  send(frame) {
    if (this.current?.socket.readyState !== 1) return false;
    this.current.socket.send(JSON.stringify(frame));
    return true;
  }

  get isLive() {
    return this.current !== null;
  }

  /** Connects at once if it was waiting, for example because the network came back. */
  hurry() {
    if (this.timer !== null && Date.now() >= this.notBefore) this.open();
  }

  /** Drops the socket and connects again. */
  restart() {
    if (this.current) this.#lost(this.current);
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    for (const link of [this.current, this.candidate]) if (link) discard(link);
    this.current = this.candidate = null;
  }

  #dial() {
    const socket = new this.WebSocket(this.options.url);
    const link = { socket, watchdog: null, silenceMs: IN_STEP_TIMEOUT_MS, inStepAt: 0 };
    socket.onopen = () => socket.send(JSON.stringify(this.options.hello()));
    socket.onmessage = (event) => this.#received(link, event.data);
    socket.onclose = (event) => this.#closed(link, event);
    this.#feedWatchdog(link);
    return link;
  }

  #received(link, data) {
    if (typeof data !== "string") return;
    const frame = JSON.parse(data);
    if (frame.type === "hello") link.silenceMs = frame.ping_interval_ms + frame.pong_timeout_ms;
    this.#feedWatchdog(link);
    if (frame.type === "ping") link.socket.send('{"type":"pong"}');
    if (frame.type === "goaway") return this.#goaway(link, frame.retry_after_ms);
    if (frame.type === "refused" && !frame.client_msg_id) this.#waitAtLeast(frame.retry_after_ms);
    if (link === this.candidate && this.options.isInStep(frame)) this.#promote(link);
    if (link === this.current || frame.type === "hello") this.options.onFrame(frame);
  }

  #promote(link) {
    const old = this.current;
    this.current = link;
    this.candidate = null;
    link.inStepAt = Date.now();
    if (old) discard(old);
    this.options.onStatus("live");
    this.options.onInStep();
  }

  #goaway(link, retryAfterMs) {
    this.#waitAtLeast(retryAfterMs);
    if (link === this.current) this.#schedule(retryAfterMs);
  }

  #closed(link, { code, reason }) {
    clearTimeout(link.watchdog);
    if (link !== this.current && link !== this.candidate) return;
    const final = code >= FINAL_CLOSE_CODES.from && code <= FINAL_CLOSE_CODES.to;
    if (!final && code !== TOKEN_EXPIRED) return this.#lost(link);
    this.stop();
    this.options.onStatus("ended");
    this.options.onEnded(code, reason);
  }

  #lost(link) {
    discard(link);
    if (link === this.current && Date.now() - link.inStepAt >= STABLE_AFTER_MS) this.failures = 0;
    if (link === this.current) this.current = null;
    if (link === this.candidate) this.candidate = null;
    if (this.stopped) return;
    if (!this.current) this.options.onStatus("waiting");
    if (this.candidate) return;
    const ceiling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures);
    this.failures += 1;
    this.#schedule(Math.max(this.notBefore - Date.now(), ceiling * (0.5 + this.random() / 2)));
  }

  #waitAtLeast(ms) {
    if (ms) this.notBefore = Math.max(this.notBefore, Date.now() + ms);
  }

  #schedule(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), ms);
  }

  #feedWatchdog(link) {
    clearTimeout(link.watchdog);
    link.watchdog = setTimeout(() => this.#lost(link), link.silenceMs);
  }
}

/** Closes a socket without hearing of it again: `onclose` of a dead network can take minutes. */
function discard(link) {
  clearTimeout(link.watchdog);
  link.socket.onopen = link.socket.onmessage = link.socket.onclose = null;
  link.socket.close();
}
