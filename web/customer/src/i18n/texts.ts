// The language that is spoken, for every component below.

import { createContext, useContext } from "react";
import type { Texts } from "./en.ts";
import { ENGLISH, type Language } from "./language.ts";

/** Holds the language; the root of the app provides it. */
export const LanguageContext = createContext<Language>(ENGLISH);

/** The language that is spoken. */
export function useLanguage(): Language {
  return useContext(LanguageContext);
}

/** The texts of the language that is spoken. */
export function useTexts(): Texts {
  return useContext(LanguageContext).texts;
}
