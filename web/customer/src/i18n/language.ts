// Which language the app speaks, and from which side it is written.

import { ar } from "./ar.ts";
import { de } from "./de.ts";
import { en, type Texts } from "./en.ts";
import { fr } from "./fr.ts";

/** A language of the app. `tag` is the one that was asked for, with its region: for dates, numbers and the server. */
export interface Language {
  tag: string;
  code: string;
  direction: "ltr" | "rtl";
  texts: Texts;
}

/** The texts of every language there is. */
export const LANGUAGES: Readonly<Record<string, Texts>> = { en, de, fr, ar };

const FALLBACK = "en";
const LONGEST_TAG = 35;

/** The first of the wanted tags whose language there is, English if there is none. */
export function chooseLanguage(wanted: readonly (string | null)[]): Language {
  for (const tag of wanted) {
    const code = codeOf(tag);
    const texts = code === null ? undefined : LANGUAGES[code];
    if (tag !== null && code !== null && texts !== undefined) return { tag, code, direction: directionOf(code), texts };
  }
  return { tag: FALLBACK, code: FALLBACK, direction: "ltr", texts: en };
}

function codeOf(tag: string | null): string | null {
  if (tag === null || tag.length > LONGEST_TAG) return null;
  try {
    return new Intl.Locale(tag).language;
  } catch {
    return null;
  }
}

function directionOf(code: string): "ltr" | "rtl" {
  return code === "ar" ? "rtl" : "ltr";
}
