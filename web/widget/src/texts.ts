// The few words around the frame.

/** The words of one language. */
export interface WidgetTexts {
  open: string;
  close: string;
  panel: string;
  unread: (count: number) => string;
  failed: string;
  again: string;
}

const ENGLISH: WidgetTexts = {
  open: "Open chat",
  close: "Close chat",
  panel: "Support chat",
  unread: (count) => `${count} unread`,
  failed: "The chat could not be loaded.",
  again: "Try again",
};

const TEXTS: Readonly<Record<string, WidgetTexts>> = {
  en: ENGLISH,
  de: {
    open: "Chat öffnen",
    close: "Chat schließen",
    panel: "Support-Chat",
    unread: (count) => `${count} ungelesen`,
    failed: "Der Chat konnte nicht geladen werden.",
    again: "Noch einmal versuchen",
  },
  fr: {
    open: "Ouvrir la discussion",
    close: "Fermer la discussion",
    panel: "Assistance",
    unread: (count) => `${count} non lus`,
    failed: "La discussion n’a pas pu être chargée.",
    again: "Réessayer",
  },
  ar: {
    open: "فتح المحادثة",
    close: "إغلاق المحادثة",
    panel: "محادثة الدعم",
    unread: (count) => `${count} غير مقروءة`,
    failed: "تعذر تحميل المحادثة.",
    again: "إعادة المحاولة",
  },
};

/** The words of the first wanted language that there is, English if there is none. */
export function widgetTexts(wanted: readonly string[]): WidgetTexts {
  for (const tag of wanted) {
    const code = tag.toLowerCase().split("-")[0] ?? "";
    const texts = Object.hasOwn(TEXTS, code) ? TEXTS[code] : undefined;
    if (texts !== undefined) return texts;
  }
  return ENGLISH;
}
