// The few HTTP calls of the desk. The token travels in a header, never in an address.

/** A refusal of the server, with its stable `code` and, where one should wait, `retryAfterMs`. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body?.message ?? `The server answered ${status}.`);
    this.status = status;
    this.code = body?.code ?? "unknown";
    this.retryAfterMs = body?.retry_after_ms ?? null;
  }
}

async function get(path, token) {
  const response = await fetch(path, { headers: { Accept: "application/json", Authorization: `Bearer ${token}` } });
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, answer?.error ?? answer);
  return answer;
}

/** → { conversations: [{ id, control, control_version, opened_at, last_seq }] } */
export const openConversations = (token) => get("/v1/conversations?state=open", token);

/** A page of entries before a position, oldest first. → { entries, has_more } */
export const entriesBefore = (token, conversation, seq) =>
  get(`/v1/conversations/${conversation}/entries?before=${seq}&limit=50`, token);

/** The address of a socket on this server. */
export function socketUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
