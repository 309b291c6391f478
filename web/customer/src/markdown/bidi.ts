// Characters that change the direction of the text around them: harmless in a block of their own, dangerous in a line
// that they share with something else (a name, an address, code).

const EMBEDDINGS_AND_ISOLATES = /[\u202a-\u202e\u2066-\u2069]/g;

/** The text with each embedding, override and isolate shown as its code point, so that it can reorder nothing. */
export function showDirectionControls(text: string): string {
  return text.replace(EMBEDDINGS_AND_ISOLATES, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16).toUpperCase();
    return `\u27e8U+${hex}\u27e9`;
  });
}
