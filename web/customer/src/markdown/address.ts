// Which addresses a message may link to, and what is shown of them.

const SCHEMES = new Set(["http:", "https:", "mailto:"]);
const LONGEST_ADDRESS = 2048;
const SCHEME = /^(?:https?:\/\/|mailto:)/i;

/** An address that may be linked: `href` is normalised, `shown` is where it really leads. */
export interface Address {
  href: string;
  shown: string;
}

/** The address, if it is absolute, of an allowed scheme and without credentials; otherwise `null`. */
export function readAddress(raw: string): Address | null {
  if (raw.length > LONGEST_ADDRESS) return null;
  const url = parse(raw);
  if (url === null || !SCHEMES.has(url.protocol) || url.username !== "" || url.password !== "") return null;
  if (url.protocol !== "mailto:") return url.host === "" ? null : { href: url.href, shown: url.host };
  const mailbox = mailboxOf(url);
  return mailbox === "" ? null : { href: url.href, shown: mailbox };
}

/**
 * Whether the text of a link says by itself where it leads: it is that address, or one on the same host, and shows the
 * host letter by letter. A parser maps look-alikes, line breaks and invisible characters to a host that no reader sees.
 */
export function saysWhereItLeads(text: string, address: Address): boolean {
  const said = text.trim();
  if (!said.replace(SCHEME, "").toLowerCase().startsWith(address.shown.toLowerCase())) return false;
  const url = parse(said.includes(":") ? said : `https://${said}`);
  if (url === null) return said === address.shown;
  if (url.protocol === "mailto:") return mailboxOf(url) === address.shown;
  if (address.href.startsWith("mailto:")) return said === address.shown;
  return url.username === "" && url.password === "" && url.host === address.shown;
}

function mailboxOf(url: URL): string {
  return decoded(url.pathname);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parse(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
