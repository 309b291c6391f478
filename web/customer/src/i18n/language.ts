// Which language the app speaks, and from which side it is written. Each is a file of its own, so that a visitor loads one.

import { en, type Texts } from "./en.ts";

/** A language of the app. `tag` is the one that was asked for, with its region: for dates, numbers and the server. */
export interface Language {
  tag: string;
  direction: "ltr" | "rtl";
  texts: Texts;
}

/** How to get the texts of every language there is. */
export const LANGUAGES: Readonly<Record<string, () => Promise<Texts>>> = {
  en: async () => en,
  de: async () => (await import("./de.ts")).de,
  fr: async () => (await import("./fr.ts")).fr,
  ar: async () => (await import("./ar.ts")).ar,
};

/** English, which is always there. */
export const ENGLISH: Language = { tag: "en", direction: "ltr", texts: en };

const LONGEST_TAG = 35;
const FROM_THE_RIGHT = new Set(["ar"]);

/** The first of the wanted tags whose language there is; English if there is none, or if it cannot be loaded. */
export async function chooseLanguage(wanted: readonly (string | null)[]): Promise<Language> {
  for (const tag of wanted) {
    const code = codeOf(tag);
    const load = code !== null && Object.hasOwn(LANGUAGES, code) ? LANGUAGES[code] : undefined;
    if (tag === null || code === null || load === undefined) continue;
    const direction = FROM_THE_RIGHT.has(code) ? "rtl" : "ltr";
    return load().then(
      (texts) => ({ tag, direction, texts }),
      () => ENGLISH,
    );
  }
  return ENGLISH;
}

function codeOf(tag: string | null): string | null {
  if (tag === null || tag.length > LONGEST_TAG) return null;
  try {
    return new Intl.Locale(tag).language;
  } catch {
    return null;
  }
}
