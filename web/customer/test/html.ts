// What a message becomes on the page, as markup, and a strict reading of it.

import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { Markdown } from "../src/markdown/Markdown.tsx";

/** One start tag of the markup. */
export interface Tag {
  name: string;
  attributes: Map<string, string>;
}

/** The markup of a text of a model. */
export function htmlOf(text: string): string {
  return renderToStaticMarkup(createElement(Markdown, { text }));
}

const TAG = /<(\/?)([a-z][a-z0-9]*)((?:\s[a-zA-Z-]+(?:="[^"<>]*")?)*)\s*\/?>/g;
const ATTRIBUTE = /\s([a-zA-Z-]+)(?:="([^"]*)")?/g;

/** Every start tag. Throws if the markup has a `<` or `>` that belongs to no tag: then this reading could be fooled. */
export function tagsOf(html: string): Tag[] {
  const rest = html.replace(TAG, "");
  if (/[<>]/.test(rest)) throw new Error(`markup that is neither tag nor text: ${rest}`);
  return [...html.matchAll(TAG)]
    .filter(([, slash]) => slash === "")
    .map(([, , name = "", attributes = ""]) => ({
      name,
      attributes: new Map(
        [...attributes.matchAll(ATTRIBUTE)].map(([, key = "", value = ""]) => [key, unescaped(value)]),
      ),
    }));
}

/** The text that a reader sees. */
export function textOf(html: string): string {
  return unescaped(html.replace(TAG, ""));
}

function unescaped(text: string): string {
  const characters: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'", "&amp;": "&" };
  return text.replace(/&(?:lt|gt|quot|#x27|amp);/g, (entity) => characters[entity] ?? entity);
}
