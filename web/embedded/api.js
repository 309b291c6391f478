// The few HTTP calls of the pages. The token travels in a header, never in an address.

/** A refusal of the server, with its stable `code` and, where one should wait, `retryAfterMs`. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body?.message ?? `The server answered ${status}.`);
    this.status = status;
    this.code = body?.code ?? "unknown";
    this.retryAfterMs = body?.retry_after_ms ?? null;
  }
}

async function call(method, path, token, body) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, answer?.error ?? answer);
  return answer;
}

/** → { token, participant, expires_at } */
export const anonymousToken = () => call("POST", "/v1/tokens/anonymous");

/** The visitor's open conversation, a new one if there is none. → { id } */
export const openConversation = (token, language) => call("POST", "/v1/conversations", token, { language });

/** → { conversations: [{ id, control, control_version, opened_at, last_seq }] } */
export const openConversations = (token) => call("GET", "/v1/conversations?state=open", token);

/** A page of entries before a position, oldest first. → { entries, has_more } */
export const entriesBefore = (token, conversation, seq) =>
  call("GET", `/v1/conversations/${conversation}/entries?before=${seq}&limit=50`, token);

/** The address of a socket on this server. */
export function socketUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
