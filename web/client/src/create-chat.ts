// Puts the parts together: tokens, the conversation, its connection, storage and what the page is told.

import type { Chat, ChatOptions, ChatState, Problem, RateOptions, SayOptions } from "./chat.ts";
import { Connection, type LinkStatus } from "./connection.ts";
import { type Credentials, KnownCredentials, VisitorCredentials } from "./credentials.ts";
import { type Environment, environmentOf } from "./environment.ts";
import type { Command } from "./frames.ts";
import { codeOfEnd, type Destination, Gateway, IdentityFailed, problemOf } from "./gateway.ts";
import type { LogEntry, Score } from "./generated/protocol.ts";
import { newIdentifier } from "./identifier.ts";
import { Renewal } from "./renewal.ts";
import { Session } from "./session.ts";
import { Slots } from "./slots.ts";
import { chatState } from "./state.ts";
import { Store } from "./store.ts";
import { createTimeline } from "./timeline.ts";
import { TypingSignal } from "./typing-signal.ts";
import { isOffline, onWake } from "./wake.ts";

const RESTORED_SHOWN_MS = 3_000;
const ADOPT_INTERVAL_MS = 30_000;
const IDENTITY_TIMEOUT_MS = 15_000;
const PAGE = 50;
const WHOLE_PAGE = 200;

/** A chat with one server. Nothing happens before `start`. */
export function createChat(options: ChatOptions = {}): Chat {
  return new LiveChat(options);
}

class LiveChat implements Chat {
  readonly #gateway: Gateway;
  readonly #slots: Slots;
  readonly #session: Session;
  readonly #connection: Connection;
  readonly #renewal: Renewal;
  readonly #store: Store<ChatState>;
  readonly #typing: TypingSignal;
  #link: LinkStatus = { status: "stopped" };
  #isRestored = false;
  #wasOnline = false;
  #problem: Problem | null = null;
  #isLoadingOlder = false;
  #restored: ReturnType<typeof setTimeout> | undefined;
  #adopting: ReturnType<typeof setInterval> | undefined;
  #stopListening: () => void = () => undefined;
  readonly #isVisitor: boolean;
  /** How often it has come to rest, and how often it was asked for an address: what is older has no effect any more. */
  #rests = 0;
  #addresses = 0;

  constructor(options: ChatOptions) {
    const environment = environmentOf(options, (error) =>
      this.#tell({ code: "storage_failed", message: String(error) }),
    );
    const { shelf, exclusion, webSocket, random } = environment;
    const credentials = credentialsFor(options, environment);
    this.#gateway = new Gateway({ ...environment, credentials });
    this.#slots = new Slots(shelf, exclusion);
    this.#isVisitor = !options.identity;
    this.#session = new Session(this.#sessionPorts(), this.#isVisitor);
    this.#connection = new Connection(this.#connectionEvents(), webSocket, random);
    this.#renewal = new Renewal(
      credentials,
      () => this.#connection.replace(),
      (error) => this.#failed(error),
    );
    this.#typing = new TypingSignal((active) => this.#connection.send({ type: "typing", active }));
    const timeline = createTimeline();
    this.#store = new Store(() => chatState(this.#parts(), timeline));
  }

  get state(): ChatState {
    return this.#store.state;
  }

  subscribe(listener: () => void): () => void {
    return this.#store.subscribe(listener);
  }

  start(): void {
    if (this.#link.status === "reconnecting") this.#connection.hurry();
    if (this.#link.status !== "stopped" && this.#link.status !== "ended") return;
    this.#wasOnline = false;
    this.#stopListening = onWake({ wake: () => this.#wake(), lost: () => this.#lost() });
    this.#adopting = setInterval(() => void this.#adopt(), ADOPT_INTERVAL_MS);
    void this.#slots.claim();
    this.#connection.open();
  }

  stop(): void {
    if (this.#link.status !== "stopped") this.#connection.close();
    this.#slots.release();
  }

  say(text: string, { overlap }: SayOptions = {}): string {
    this.#typing.end();
    return this.#send((id) => ({ type: "say", client_msg_id: id, text, ...(overlap && { overlap }) }));
  }

  stopReply(): void {
    const turn = this.#session.conversation?.live?.turn;
    if (turn !== undefined) this.#send((id) => ({ type: "stop", client_msg_id: id, turn }));
  }

  regenerate(reply?: number): void {
    this.#send((id) => ({ type: "regenerate", client_msg_id: id, ...(reply !== undefined && { reply }) }));
  }

  rate(score: Score, { reply, comment }: RateOptions = {}): void {
    const what = { ...(reply !== undefined && { reply }), ...(comment && { comment }) };
    this.#send((id) => ({ type: "rate", client_msg_id: id, score, ...what }));
  }

  askForPerson(summary?: string): void {
    this.#send((id) => ({ type: "escalate", client_msg_id: id, ...(summary && { summary }) }));
  }

  backToAssistant(): void {
    const version = this.#session.conversation?.controlVersion ?? 0;
    this.#send((id) => ({ type: "hand_back", client_msg_id: id, control_version: version }));
  }

  closeConversation(): void {
    this.#send((id) => ({ type: "close", client_msg_id: id }));
  }

  async startAnew(): Promise<void> {
    const rests = this.#rests;
    try {
      const destination = await this.#gateway.openAnother();
      if (rests !== this.#rests) return;
      this.#addresses += 1;
      await this.#follow(destination, () => rests === this.#rests);
      if (rests !== this.#rests) return;
      this.#wasOnline = false;
      this.#connection.restart(0);
    } catch (error) {
      if (rests === this.#rests) this.#failed(error);
    }
  }

  retry(id: string): void {
    this.#session.retry(id, newIdentifier());
    if (this.#link.status === "ended") this.start();
  }

  discard(id: string): void {
    this.#session.discard(id);
  }

  typing(active: boolean): void {
    this.#typing.set(active);
  }

  async loadOlder(): Promise<void> {
    const held = this.#session.conversation;
    const first = held?.entries[0];
    if (!held?.hasOlder || !first || this.#isLoadingOlder) return;
    this.#isLoadingOlder = true;
    this.#store.changed();
    const rests = this.#rests;
    try {
      const { entries, hasMore } = await this.#gateway.entries(held.id, `before=${first.seq}&limit=${PAGE}`);
      this.#session.prependOlder(held, entries, hasMore);
    } catch (error) {
      if (rests === this.#rests) this.#failed(error);
    } finally {
      this.#isLoadingOlder = false;
      this.#store.changed();
    }
  }

  async transcript(): Promise<LogEntry[]> {
    const id = this.#session.conversation?.id;
    const log: LogEntry[] = [];
    for (let hasMore = id !== undefined; id !== undefined && hasMore; ) {
      const page = await this.#gateway.entries(id, `after=${log.at(-1)?.seq ?? 0}&limit=${WHOLE_PAGE}`);
      log.push(...page.entries);
      hasMore = page.hasMore && page.entries.length > 0;
    }
    return log;
  }

  async forget(): Promise<void> {
    this.#connection.close();
    const self = this.#session.owner;
    this.#session.forget();
    this.#slots.clear(({ owner }) => this.#isVisitor || owner === null || owner === self);
    this.#slots.release();
    this.#gateway.forget();
    this.#problem = null;
    this.#store.changed();
  }

  #send(command: (id: string) => Command): string {
    const id = newIdentifier();
    this.#session.send(command(id));
    if (this.#link.status === "ended") this.#session.failAll(codeOfEnd(this.#link.code), this.#link.reason);
    return id;
  }

  #parts() {
    const { conversation, outbox, participant, maxMessageBytes } = this.#session;
    return {
      link: this.#link,
      isOffline: isOffline(),
      isRestored: this.#isRestored,
      conversation,
      outbox,
      participant,
      maxMessageBytes,
      isLoadingOlder: this.#isLoadingOlder,
      problem: this.#problem,
    };
  }

  #sessionPorts(): ConstructorParameters<typeof Session>[0] {
    return {
      transmit: (frame) => this.#connection.send(frame),
      restart: () => this.#connection.restart(),
      changed: (what) => this.#store.changed(what),
      problem: (code, message) => this.#tell({ code, message }),
      save: () => this.#save(),
      adopt: () => this.#adopt(),
    };
  }

  #connectionEvents(): ConstructorParameters<typeof Connection>[0] {
    return {
      address: () => this.#address(),
      addressFailed: (error) => {
        this.#failed(error);
        return this.#gateway.failed(error);
      },
      hello: (token) => this.#session.hello(token),
      promoted: () => this.#promoted(),
      frame: (frame) => this.#session.receive(frame),
      closed: (end) => this.#gateway.closed(end),
      status: (status) => this.#status(status),
    };
  }

  async #address(): Promise<{ url: string; token: string }> {
    this.#addresses += 1;
    const number = this.#addresses;
    const isWanted = () => number === this.#addresses;
    const { url, token, ...destination } = await this.#gateway.address();
    if (isWanted()) await this.#follow(destination, isWanted);
    if (isWanted()) this.#renewal.schedule();
    return { url, token };
  }

  /** Goes over to a conversation, and to another customer if it is another's. */
  async #follow({ conversation, subject }: Destination, isWanted: () => boolean): Promise<void> {
    const held = this.#session.conversation;
    const { owner } = this.#session;
    const isOther = !this.#isVisitor && subject !== null && owner !== null && subject !== owner;
    if (isOther || (held && held.id !== conversation)) {
      // What is typed from now on must not reach the conversation before.
      this.#wasOnline = false;
      this.#connection.leave();
    }
    if (isOther) {
      // What the customer before has not sent stays in a slot of theirs.
      await this.#slots.claim();
      if (!isWanted()) return;
      this.#session.become(subject);
      await this.#slots.leave();
      if (!isWanted()) return;
    }
    this.#session.owner = subject ?? owner;
    this.#session.follow(conversation);
  }

  #promoted(): void {
    this.#gateway.succeeded();
    this.#problem = null;
    this.#session.promoted();
  }

  #status(status: LinkStatus): void {
    const isBack = status.status === "online" && this.#link.status !== "online" && this.#wasOnline;
    this.#link = status;
    if (status.status === "online") this.#wasOnline = true;
    if (status.status === "ended") this.#session.failAll(codeOfEnd(status.code), status.reason);
    if (status.status === "ended" || status.status === "stopped") this.#rest();
    if (isBack) this.#showRestored();
    this.#store.changed();
  }

  #showRestored(): void {
    this.#isRestored = true;
    clearTimeout(this.#restored);
    this.#restored = setTimeout(() => {
      this.#isRestored = false;
      this.#store.changed();
    }, RESTORED_SHOWN_MS);
  }

  /** Ends everything that goes on by itself. */
  #rest(): void {
    this.#rests += 1;
    this.#addresses += 1;
    this.#gateway.stop();
    this.#stopListening();
    this.#renewal.stop();
    this.#session.stop();
    clearInterval(this.#adopting);
    clearTimeout(this.#restored);
    this.#isRestored = false;
  }

  #wake(): void {
    this.#connection.hurry();
    this.#store.changed();
  }

  #lost(): void {
    this.#connection.doubt();
    this.#store.changed();
  }

  #save(): void {
    const { conversation, owner } = this.#session;
    const items = this.#session.unsettled();
    this.#slots.save({ owner, conversation: conversation?.id ?? null, items });
  }

  async #adopt(): Promise<void> {
    if (!this.#connection.isOnline) return;
    try {
      await this.#slots.adopt((saved) => this.#session.adopt(saved));
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#tell(problemOf(error));
  }

  #tell(problem: Problem): void {
    this.#problem = problem;
    this.#store.changed();
  }
}

/** Fails if the page takes too long: nothing else would ever be tried. */
function inTime(token: Promise<string> | string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the page gave no token in time")), IDENTITY_TIMEOUT_MS);
    const ended = () => clearTimeout(timer);
    Promise.resolve(token).then(resolve, reject).finally(ended);
  });
}

function credentialsFor({ identity }: ChatOptions, { http, shelf, exclusion }: Environment): Credentials {
  if (!identity) return new VisitorCredentials(http, shelf, exclusion);
  return new KnownCredentials(async () => {
    try {
      return await inTime(identity());
    } catch (error) {
      throw new IdentityFailed(error instanceof Error ? error.message : String(error));
    }
  });
}
