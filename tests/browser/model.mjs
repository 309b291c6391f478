// A model whose words the story decides, one at a time: it speaks OpenAI's chat completions, streamed.

import { once } from "node:events";
import { createServer } from "node:http";

import { until } from "./until.mjs";

export class Model {
  #asked = [];
  #taken = 0;
  #echo = null;

  static async start() {
    const model = new Model();
    model.server.listen(0, "127.0.0.1");
    await once(model.server, "listening");
    return model;
  }

  constructor() {
    this.server = createServer((request, response) => void this.#hear(request, response));
  }

  /** What tells Onya to ask this model. */
  get environment() {
    return { LLM_PROVIDER: "openai", OPENAI_BASE_URL: `http://127.0.0.1:${this.server.address().port}/v1` };
  }

  /** From now on each question is answered at once by `answer(question)`, in pieces. */
  answersAll(answer) {
    this.#echo = answer;
  }

  /** The next question that nobody has taken yet. */
  async asked() {
    await until("a question to the model", () => this.#asked.length, (count) => count > this.#taken);
    this.#taken += 1;
    return this.#asked[this.#taken - 1];
  }

  async stop() {
    this.server.closeAllConnections();
    await once(this.server.close(), "close");
  }

  async #hear(request, response) {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString());
    response.writeHead(200, { "content-type": "text/event-stream" });
    const reply = new Reply(body.messages.findLast(({ role }) => role === "user").content, response);
    if (this.#echo === null) this.#asked.push(reply);
    else reply.sayAll(this.#echo(reply.question));
  }
}

/** One reply that is being written. */
class Reply {
  constructor(question, response) {
    this.question = question;
    this.response = response;
  }

  say(text) {
    this.#send({ choices: [{ delta: { content: text } }] });
  }

  end() {
    this.#finish("stop");
  }

  /** All of a text, in pieces of a few characters, and the end. */
  sayAll(text) {
    for (const piece of text.match(/[^]{1,9}/gu) ?? []) this.say(piece);
    this.end();
  }

  /** Calls the tool that asks for a person, and says nothing. */
  askForPerson(summary) {
    const call = { index: 0, id: "call_1", function: { name: "request_human", arguments: JSON.stringify({ summary }) } };
    this.#send({ choices: [{ delta: { tool_calls: [call] } }] });
    this.#finish("tool_calls");
  }

  /** Breaks off in a way that is not tried again. */
  fail() {
    this.#finish("content_filter");
  }

  /** Whether the server has called it off. */
  get isCalledOff() {
    return this.response.destroyed && !this.response.writableFinished;
  }

  #finish(reason) {
    this.#send({ choices: [{ delta: {}, finish_reason: reason }] });
    this.response.end("data: [DONE]\n\n");
  }

  #send(chunk) {
    this.response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  }
}
