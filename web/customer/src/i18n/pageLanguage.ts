// The language of this page: what the address asks for, otherwise what the browser prefers.

import { chooseLanguage, type Language } from "./language.ts";

/** Chooses the language and sets it on the document, with its direction. */
export async function pageLanguage(): Promise<Language> {
  const asked = new URLSearchParams(location.search).get("lang");
  const language = await chooseLanguage([asked, ...navigator.languages]);
  document.documentElement.lang = language.tag;
  document.documentElement.dir = language.direction;
  return language;
}
