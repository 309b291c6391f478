// What programs do by HTTP: here, staff who look at what is stored and act without a page.

import { randomUUID } from "node:crypto";

export class Api {
  #url;
  #token;

  constructor(url, token) {
    this.#url = url;
    this.#token = token;
  }

  /** The open conversations. */
  async open() {
    return (await this.get("/v1/conversations?state=open")).conversations;
  }

  /** Everything stored of a conversation. */
  async entries(id) {
    return (await this.get(`/v1/conversations/${id}/entries?limit=200`)).entries;
  }

  /** The texts of everything that was said in a conversation. */
  async said(id) {
    return (await this.entries(id)).filter(({ kind }) => kind === "message_said").map(({ text }) => text);
  }

  /** Takes a conversation from the assistant. */
  async takeOver({ id }) {
    const { control_version } = await this.get(`/v1/conversations/${id}`);
    return this.command(id, "take-over", { control_version });
  }

  /** Gives one of the commands; it is stored when this returns. */
  command(id, name, body) {
    return this.#call("POST", `/v1/conversations/${id}/${name}`, body);
  }

  get(path) {
    return this.#call("GET", path);
  }

  async #call(method, path, body) {
    const headers = { authorization: `Bearer ${this.#token}`, "content-type": "application/json" };
    if (method === "POST") headers["idempotency-key"] = randomUUID();
    const response = await fetch(this.#url + path, { method, headers, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }
}
