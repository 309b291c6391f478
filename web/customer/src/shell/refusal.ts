// Why the server refused something, in the reader's language.

import type { Texts } from "../i18n/en.ts";
import { showDirectionControls } from "../markdown/bidi.ts";

/** Our sentence for a code that we know, otherwise the server's. */
export function refusalText(refusal: { code: string; message: string }, texts: Texts): string {
  const known = Object.entries(texts.refused).find(([code]) => code === refusal.code);
  return known?.[1] ?? showDirectionControls(refusal.message);
}
