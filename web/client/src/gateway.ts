// Where to connect and as whom: a token, the conversation that is open for it, and what to do when either is refused.

import type { Problem } from "./chat.ts";
import type { Address, AddressFailure, LinkEnd } from "./connection.ts";
import type { Credential, Credentials } from "./credentials.ts";
import { isRecord } from "./frames.ts";
import type { ErrorCode } from "./generated/protocol.ts";
import { ApiError, type EntryPage, type Http } from "./http.ts";
import type { Shelf } from "./storage.ts";

const CONVERSATION = "conversation";
/** Close codes that something can be done about, and those that HTTP answers amount to. */
const TOKEN_EXPIRED = 3_002;
const BAD_TOKEN = 3_500;
const BAD_REQUEST = 3_501;
const FORBIDDEN = 3_502;
/** How often in a row a fresh token or another conversation is tried. */
const MAX_REJECTIONS = 1;
const TRANSIENT_STATUSES = new Set([408, 425, 429]);

/** The page's `identity` has failed. */
export class IdentityFailed extends Error {
  override readonly name = "IdentityFailed";
}

/** What a gateway is made of. */
export interface GatewayParts {
  /** The address of the server, without a slash at its end. */
  readonly base: string;
  readonly http: Http;
  readonly shelf: Shelf;
  readonly credentials: Credentials;
  /** A BCP 47 tag for a new conversation. */
  readonly language: string | undefined;
}

/** A conversation and whom it is of, as far as the token says. */
export interface Destination {
  readonly conversation: string;
  readonly subject: string | null;
}

/** The way to one customer's conversation. */
export class Gateway {
  readonly #parts: GatewayParts;
  #conversation: string | null = null;
  #token = "";
  #rejections = 0;
  /** How often it was stopped: what began before does not go on. */
  #stops = 0;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  /** Where the socket is, with whatever has to be made before. */
  async address(): Promise<Address & Destination> {
    const stops = this.#stops;
    const { token, subject } = await this.#credential();
    this.#refuseIfStopped(stops);
    this.#conversation ??= this.#stored(subject);
    if (this.#conversation === null) return this.#addressOf(token, await this.#open({ token, subject }));
    return this.#addressOf(token, { conversation: this.#conversation, subject });
  }

  /** Asks for the customer's open conversation, which is a new one if the last was closed. */
  async openAnother(): Promise<Destination> {
    const stops = this.#stops;
    const credential = await this.#credential();
    this.#refuseIfStopped(stops);
    return this.#open(credential);
  }

  /** What is under way comes to nothing. */
  stop(): void {
    this.#stops += 1;
  }

  async #open({ token, subject }: Credential): Promise<Destination> {
    const stops = this.#stops;
    const id = await this.#parts.http.openConversation(token, this.#parts.language);
    this.#refuseIfStopped(stops);
    this.#conversation = id;
    this.#parts.shelf.write(CONVERSATION, { id, subject });
    return { conversation: id, subject };
  }

  #refuseIfStopped(stops: number): void {
    if (stops !== this.#stops) throw new Error("The chat was stopped.");
  }

  #addressOf(token: string, { conversation, subject }: Destination): Address & Destination {
    const url = `${this.#parts.base.replace(/^http/, "ws")}/v1/conversations/${conversation}/socket`;
    return { url, token, subject, conversation };
  }

  /** A page of a conversation's log, by `after=` or `before=` a position. */
  async entries(conversation: string, query: string): Promise<EntryPage> {
    const { token } = await this.#credential();
    return this.#parts.http.entries(token, conversation, query);
  }

  /** What to do after `address` has failed. */
  failed(error: unknown): AddressFailure {
    if (!(error instanceof ApiError)) return { retryAfterMs: null };
    const code = closeCodeOf(error);
    if (code === null) return { retryAfterMs: error.retryAfterMs };
    const end = { code, reason: error.code ?? error.message };
    const mayGoOn = this.closed({ ...end, isFinal: true, token: this.#token });
    return mayGoOn ? { retryAfterMs: error.retryAfterMs } : { retryAfterMs: null, end };
  }

  /** Whether it is worth connecting again after this end of a socket. */
  closed({ code, isFinal, token }: LinkEnd): boolean {
    if (code === TOKEN_EXPIRED || code === BAD_TOKEN) this.#parts.credentials.rejected(token);
    // Another customer's token comes with another conversation.
    if (code === FORBIDDEN) this.#forgetConversation();
    if (!isFinal) return true;
    this.#rejections += 1;
    return (code === BAD_TOKEN || code === FORBIDDEN) && this.#rejections <= MAX_REJECTIONS;
  }

  /** The server has taken the token and knows the conversation. */
  succeeded(): void {
    this.#rejections = 0;
  }

  /** Forgets whom it is about. */
  forget(): void {
    this.#forgetConversation();
    this.#parts.credentials.forget();
    this.#rejections = 0;
  }

  async #credential(): Promise<Credential> {
    const before = this.#token;
    const credential = await this.#parts.credentials.current();
    this.#token = credential.token;
    const isOther = before !== "" && before !== credential.token;
    // A visitor whose token was lost is somebody new.
    if (isOther && this.#stored(credential.subject) !== this.#conversation) this.#conversation = null;
    return credential;
  }

  #stored(subject: string | null): string | null {
    const value = this.#parts.shelf.read(CONVERSATION);
    if (!isRecord(value) || typeof value.id !== "string") return null;
    return value.subject === subject ? value.id : null;
  }

  #forgetConversation(): void {
    this.#conversation = null;
    this.#parts.shelf.write(CONVERSATION, undefined);
  }
}

/** What to tell of an error that belongs to nothing on the page. */
export function problemOf(error: unknown): Problem {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ApiError && error.code) return { code: error.code, message };
  return { code: error instanceof IdentityFailed ? "identity_failed" : "unreachable", message };
}

/** The code of a command that was not sent because the connection has ended for good. */
export function codeOfEnd(closeCode: number): ErrorCode {
  switch (closeCode) {
    case TOKEN_EXPIRED:
      return "token_expired";
    case BAD_TOKEN:
      return "unauthenticated";
    case FORBIDDEN:
      return "forbidden";
    case 3_503:
      return "too_large";
    case 3_504:
      return "unsupported_version";
    default:
      return "bad_request";
  }
}

/** The close code with the same meaning; null if the call may succeed later. */
function closeCodeOf({ status, code }: ApiError): number | null {
  if (code === "token_expired" || status === 401) return BAD_TOKEN;
  if (status === 403 || status === 404) return FORBIDDEN;
  return status >= 400 && status < 500 && !TRANSIENT_STATUSES.has(status) ? BAD_REQUEST : null;
}
