// New names for commands and tabs.

/** A random UUID. `crypto.randomUUID` would need a page that came over TLS. */
export function newIdentifier(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = Array.from(bytes, (byte, index) => {
    if (index === 6) return hexOf((byte & 0x0f) | 0x40);
    return hexOf(index === 8 ? (byte & 0x3f) | 0x80 : byte);
  }).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function hexOf(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
