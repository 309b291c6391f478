// The few HTTP calls of a customer. The token travels in a header, never in an address.

import { isRecord } from "./frames.ts";
import type { ErrorCode, LogEntry } from "./generated/protocol.ts";

/** After how long a call is given up. */
const TIMEOUT_MS = 15_000;

/** A visitor's token, as the server makes it. */
export interface VisitorToken {
  readonly token: string;
  readonly participant: string;
  /** In ms since 1970, by the server's clock. */
  readonly expiresAt: number;
}

/** A page of the log, oldest first. */
export interface EntryPage {
  readonly entries: readonly LogEntry[];
  /** Whether the log goes on in the direction of the page. */
  readonly hasMore: boolean;
}

/** A refusal of the server. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    /** The HTTP status. */
    readonly status: number,
    /** Why; null if whoever answered was not the server. */
    readonly code: ErrorCode | null,
    message: string,
    /** When to try again, in ms from now. */
    readonly retryAfterMs: number | null,
  ) {
    super(message);
  }
}

/** What was answered is not what the protocol says. */
export class UnexpectedAnswer extends Error {
  override readonly name = "UnexpectedAnswer";
}

interface Call {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly token?: string;
  readonly body?: unknown;
}

/** The calls, to one server. */
export class Http {
  readonly #base: string;
  readonly #fetch: typeof fetch;

  /** `base`: the address of the server, without a slash at its end. */
  constructor(base: string, fetcher: typeof fetch) {
    this.#base = base;
    this.#fetch = fetcher;
  }

  /** A token for somebody whom nobody knows yet. */
  async newVisitor(): Promise<VisitorToken> {
    return visitorToken(await this.#call({ method: "POST", path: "/v1/tokens/anonymous" }));
  }

  /** A newer token for the same visitor. */
  async renewedVisitor(token: string): Promise<VisitorToken> {
    return visitorToken(await this.#call({ method: "POST", path: "/v1/tokens/renew", token }));
  }

  /** The customer's open conversation, a new one if there is none. */
  async openConversation(token: string, language: string | undefined): Promise<string> {
    const body = language === undefined ? {} : { language };
    const answer = await this.#call({ method: "POST", path: "/v1/conversations", token, body });
    if (!isRecord(answer) || typeof answer.id !== "string") throw new UnexpectedAnswer("no conversation");
    return answer.id;
  }

  /** A page of entries, by `after=` or `before=` a position. */
  async entries(token: string, conversation: string, query: string): Promise<EntryPage> {
    const path = `/v1/conversations/${conversation}/entries?${query}`;
    const answer = await this.#call({ method: "GET", path, token });
    if (!isRecord(answer) || !isEntries(answer.entries)) throw new UnexpectedAnswer("no entries");
    return { entries: answer.entries, hasMore: answer.has_more === true };
  }

  async #call({ method, path, token, body }: Call): Promise<unknown> {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (token !== undefined) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const payload = body === undefined ? {} : { body: JSON.stringify(body) };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await this.#fetch(this.#base + path, { method, headers, credentials: "omit", signal, ...payload });
    const answer: unknown = await response.json().catch(() => null);
    if (!response.ok) throw apiError(response.status, answer);
    return answer;
  }
}

function apiError(status: number, answer: unknown): ApiError {
  const error = isRecord(answer) && isRecord(answer.error) ? answer.error : {};
  const message = typeof error.message === "string" ? error.message : `The server answered ${status}.`;
  const retryAfterMs = typeof error.retry_after_ms === "number" ? error.retry_after_ms : null;
  return new ApiError(status, isErrorCode(error.code) ? error.code : null, message, retryAfterMs);
}

// New codes may be added: an unknown one is handed on as it came.
function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string";
}

function visitorToken(answer: unknown): VisitorToken {
  if (!isRecord(answer)) throw new UnexpectedAnswer("no token");
  const { token, participant, expires_at: expiresAt } = answer;
  const isToken = typeof token === "string" && typeof participant === "string" && typeof expiresAt === "number";
  if (!isToken) throw new UnexpectedAnswer("no token");
  return { token, participant, expiresAt };
}

function isEntries(value: unknown): value is LogEntry[] {
  return Array.isArray(value) && value.every((entry) => isRecord(entry) && typeof entry.seq === "number");
}
