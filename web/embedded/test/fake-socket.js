// A socket that a test is the other side of.

export class FakeSocket {
  static all = [];
  readyState = 1;
  sent = [];
  constructor(url) {
    this.url = url;
    FakeSocket.all.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
  }
  receives(frame) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  opens() {
    this.onopen?.();
    this.receives({ type: "hello", ping_interval_ms: 25_000, pong_timeout_ms: 8_000 });
    this.receives({ type: "synced" });
  }
  closes(code, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}
