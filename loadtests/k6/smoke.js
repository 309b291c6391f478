// One customer from nothing to a resumed conversation: token, conversation, socket, message, streamed reply,
// disconnect, reconnect with the cursor. It judges what was promised (checks) and only prints how long it took.
//
//   ONYA_URL=https://chat.example.com ONYA_TOKEN=… k6 run loadtests/k6/smoke.js

import http from 'k6/http';
import { check } from 'k6';
import { clearTimeout, setTimeout } from 'k6/timers';
import { Trend } from 'k6/metrics';
import { WebSocket } from 'k6/experimental/websockets';

const URL = (__ENV.ONYA_URL || 'http://127.0.0.1:3000').replace(/\/+$/, '');
const TEXT = __ENV.ONYA_TEXT || 'Hello, how do I return my order?';
const STEP_LIMIT_MS = Number(__ENV.ONYA_STEP_LIMIT_MS || 30000);

// Everything that depends on the protocol's shapes is in `wire`; docs/PROTOCOL.md explains each.
const wire = {
  tokenUrl: `${URL}/v1/tokens/anonymous`,
  conversationsUrl: `${URL}/v1/conversations`,
  socketUrl: (id) => `${URL.replace(/^http/, 'ws')}/v1/conversations/${id}/socket`,
  hello: (token, cursor) => ({ type: 'hello', versions: [1], token, cursor }),
  say: (id, text) => ({ type: 'say', client_msg_id: id, text }),
  resume: (cursor) => ({ type: 'resume', cursor }),
  pong: () => ({ type: 'pong' }),
};

const timeToFirstToken = new Trend('time_to_first_token', true);
const timeToAck = new Trend('time_to_ack', true);
const timeToReply = new Trend('time_to_whole_reply', true);

export const options = {
  scenarios: {
    smoke: {
      executor: 'per-vu-iterations',
      vus: Number(__ENV.ONYA_VUS || 1),
      iterations: Number(__ENV.ONYA_ITERATIONS || 1),
      maxDuration: '2m',
    },
  },
  thresholds: { checks: ['rate==1'] },
  summaryTrendStats: ['min', 'med', 'p(95)', 'max'],
};

export default async function smoke() {
  let problem = '';
  const connections = [];
  try {
    await walk(connections);
  } catch (error) {
    problem = String(error);
    console.error(problem);
  }
  // k6 keeps an iteration alive as long as one of its sockets is.
  connections.forEach((connection) => connection.close());
  // An iteration that ends early makes fewer checks; this one makes sure that it also fails one.
  check(problem, { 'the whole walk was done': (text) => text === '' });
}

async function walk(connections) {
  const token = __ENV.ONYA_TOKEN || post(wire.tokenUrl, undefined, 'a token is issued').token;
  const id = post(wire.conversationsUrl, token, 'a conversation is created').id;
  const copy = new Copy();

  const connect = async (cursor) => {
    const connection = new Connection(id, copy);
    connections.push(connection);
    await connection.hello(token, cursor);
    return connection;
  };

  const first = await connect(undefined);
  const fresh = await first.next('synced');
  check(fresh, { 'a first connection is told that it is new': (f) => !f.recovered && f.reason === 'new' });
  const before = copy.cursor();
  const reply = await converse(first, copy);
  const live = copy.after(before.seq);
  first.close();

  const second = await connect(copy.cursor());
  const resumed = await second.next('synced');
  check(resumed, {
    'the cursor is recovered': (f) => f.recovered === true,
    'nothing was missed': (f) => f.entries.length === 0,
  });
  second.send(wire.resume(before));
  const replayed = await second.next('synced');
  check(replayed, {
    'an older cursor is recovered': (f) => f.recovered === true,
    'what was live is replayed, nothing missing': (f) => JSON.stringify(f.entries) === JSON.stringify(live),
    'the reply is replayed as it was committed': (f) => f.entries.some((e) => e.seq === reply.seq && e.text === reply.text),
  });
  check(copy, { 'no frame left a gap': (c) => c.gaps.length === 0 });
}

// Says one thing and waits until its turn has ended; returns the entry that ended it.
async function converse(connection, copy) {
  const messageId = `smoke-${__VU}-${__ITER}-${Date.now()}`;
  const began = Date.now();
  connection.send(wire.say(messageId, TEXT));
  let firstToken = 0;
  let acked = 0;
  for (;;) {
    const frame = await connection.next();
    if (frame.type === 'refused') throw new Error(`refused: ${frame.code}: ${frame.message}`);
    if (frame.type === 'ack' && frame.client_msg_id === messageId) {
      acked = frame.seq;
      timeToAck.add(Date.now() - began);
    }
    if (frame.type === 'delta' && !firstToken) {
      firstToken = Date.now();
      timeToFirstToken.add(firstToken - began);
    }
    if (acked && frame.type === 'entry' && frame.kind === 'turn_ended' && frame.turn > acked) {
      timeToReply.add(Date.now() - began);
      judgeReply(frame, messageId, acked, firstToken, copy);
      return frame;
    }
  }
}

function judgeReply(ended, messageId, acked, firstToken, copy) {
  const said = copy.entries.find((entry) => entry.seq === acked);
  const shown = copy.shown(ended.turn);
  check(ended, {
    'the message stands where its ack says': () => said && said.client_msg_id === messageId && said.text === TEXT,
    'the turn ended with a whole reply': (e) => e.outcome === 'final' && e.text.length > 0,
    'the reply was streamed': () => firstToken > 0,
    'what was streamed is how the reply begins': (e) => bytes(e.text).startsWith(shown),
  });
}

function post(url, token, promise) {
  const headers = { 'Content-Type': 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = http.post(url, '{}', { headers });
  const good = check(response, { [promise]: (r) => r.status === 200 || r.status === 201 });
  if (!good) throw new Error(`POST ${url}: ${response.status} ${response.error} ${response.body}`);
  return response.json();
}

// A socket whose frames are awaited one by one. Frames are applied to the copy before anyone sees them.
class Connection {
  constructor(id, copy) {
    this.socket = new WebSocket(wire.socketUrl(id));
    this.isOpen = false;
    this.frames = [];
    this.ended = '';
    this.waiting = null;
    this.socket.onopen = () => {
      this.isOpen = true;
      this.wake();
    };
    this.socket.onerror = (event) => this.end(`socket error: ${event.error}`);
    this.socket.onclose = (event) => this.end(`closed by the server: ${event.code} ${event.reason}`);
    this.socket.onmessage = (event) => {
      const frame = JSON.parse(event.data);
      if (frame.type === 'ping') this.send(wire.pong());
      copy.apply(frame);
      this.frames.push(frame);
      this.wake();
    };
  }

  async hello(token, cursor) {
    await this.until(() => this.isOpen, 'connection');
    this.send(wire.hello(token, cursor));
    await this.next('hello');
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  close() {
    this.socket.onclose = () => {};
    this.socket.close();
  }

  end(why) {
    this.ended = this.ended || why;
    this.wake();
  }

  wake() {
    if (this.waiting) this.waiting();
  }

  // The next frame, of this type if one is named: others before it are passed over.
  async next(type) {
    let found;
    await this.until(() => {
      while (!found && this.frames.length) {
        const frame = this.frames.shift();
        if (!type || frame.type === type) found = frame;
        else if (frame.type === 'refused') throw new Error(`refused: ${frame.code}: ${frame.message}`);
      }
      return found;
    }, type || 'frame');
    return found;
  }

  // Waits for a condition that an event of this socket makes true.
  async until(condition, what) {
    const deadline = Date.now() + STEP_LIMIT_MS;
    while (!condition()) {
      if (this.ended) throw new Error(this.ended);
      if (Date.now() >= deadline) throw new Error(`no ${what} within ${STEP_LIMIT_MS} ms`);
      await this.arrival(deadline - Date.now());
    }
  }

  arrival(limitMs) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.waiting = () => {
        this.waiting = null;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

// The customer's copy of the log and of the reply in progress, by the rules that every client follows.
class Copy {
  constructor() {
    this.historyEpoch = '';
    this.position = 0;
    this.entries = [];
    this.replies = {};
    this.gaps = [];
  }

  cursor() {
    return { history_epoch: this.historyEpoch, seq: this.position };
  }

  after(seq) {
    return this.entries.filter((entry) => entry.seq > seq);
  }

  shown(turn) {
    return (this.replies[turn] || { text: '' }).text;
  }

  apply(frame) {
    if (frame.type === 'synced') this.synchronise(frame);
    if (frame.type === 'entry') this.append(entryOf(frame));
    if (frame.type === 'delta' || frame.type === 'reset') this.stream(frame);
    if (frame.type === 'ping') frame.positions.forEach((at) => (this.position = Math.max(this.position, at.seq)));
  }

  synchronise(frame) {
    if (!frame.recovered) {
      this.entries = [];
      this.position = 0;
    }
    this.historyEpoch = frame.history_epoch;
    frame.entries.forEach((entry, index) => this.append(entry, !frame.recovered && index === 0));
    this.position = Math.max(this.position, frame.position);
    if (frame.turn) this.stream({ offset: 0, ...frame.turn });
  }

  append(entry, first = false) {
    if (entry.seq <= this.position) return;
    if (!first && entry.prev > this.position) this.gaps.push(`entry ${entry.seq} follows ${entry.prev}, held ${this.position}`);
    this.entries.push(entry);
    this.position = entry.seq;
  }

  stream({ turn, epoch, attempt, offset, text }) {
    const held = this.replies[turn];
    const order = held ? epoch - held.epoch || attempt - held.attempt : 1;
    if (order < 0) return;
    const reply = order > 0 ? { epoch, attempt, text: '' } : held;
    this.replies[turn] = reply;
    if (text === undefined) return;
    const added = bytes(text);
    if (offset > reply.text.length) this.gaps.push(`delta at ${offset} of turn ${turn}, held ${reply.text.length}`);
    else if (offset + added.length > reply.text.length) reply.text += added.slice(reply.text.length - offset);
  }
}

// The entry without what makes it a frame, so that live and replayed ones compare.
function entryOf(frame) {
  const { type: _type, conversation: _conversation, ...entry } = frame;
  return entry;
}

// Offsets count bytes of UTF-8; this is the text with one character for each of them.
function bytes(text) {
  return unescape(encodeURIComponent(text));
}
