// Markdown to syntax tree, block by block. A reply that is still being written is parsed again only from its last
// blocks on, and a block that has not changed stays the same object, so that its picture need not be drawn again.

import type { RootContent } from "mdast";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmStrikethroughFromMarkdown } from "mdast-util-gfm-strikethrough";
import { gfmTableFromMarkdown } from "mdast-util-gfm-table";
import { gfmAutolinkLiteral } from "micromark-extension-gfm-autolink-literal";
import { gfmStrikethrough } from "micromark-extension-gfm-strikethrough";
import { gfmTable } from "micromark-extension-gfm-table";
import { autolinkNodes } from "./autolink.ts";

/** One block at the top level: where it starts in the text (its identity), its source, and its tree. */
export interface Block {
  start: number;
  source: string;
  node: RootContent;
  /** What the tree's positions point into. */
  parsed: string;
}

/** A text as parsed; hand it to the next `parseBlocks` of the same reply. */
export interface ParsedText {
  text: string;
  blocks: readonly Block[];
}

/** Longer texts are not worth the time of a phone: what lies beyond is shown as plain text. */
export const LONGEST_MARKDOWN = 30_000;

// The last block may still grow, and the one before it may yet be joined with it.
const OPEN_BLOCKS = 2;

// Nesting costs the parser the square of its depth; nobody writes this to be read.
const TOO_NESTED = /^(?:[ \t]*(?:[>*+-]|\d{1,9}[.)])){40}|[*_~[\]]{200}/m;

// A definition at the end of a reply would change what stands long before it: references stay as they are written.
const WITHOUT_REFERENCES = { disable: { null: ["definition"] } };

const SYNTAX = {
  extensions: [gfmAutolinkLiteral(), gfmStrikethrough({ singleTilde: false }), gfmTable(), WITHOUT_REFERENCES],
  mdastExtensions: [autolinkNodes, gfmStrikethroughFromMarkdown(), gfmTableFromMarkdown()],
};

/** Parses `text`, keeping of `previous` what more text at the end cannot change. */
export function parseBlocks(text: string, previous: ParsedText | null): ParsedText {
  if (previous?.text === text) return previous;
  const grown = previous !== null && text.startsWith(previous.text) ? previous.blocks : [];
  const settled = grown.slice(0, Math.max(0, grown.length - OPEN_BLOCKS));
  const reopened = grown.slice(settled.length);
  const from = reopened[0]?.start ?? 0;
  const fresh = blocksFrom(text, from).map((block) => unchanged(block, reopened) ?? block);
  return { text, blocks: [...settled, ...fresh] };
}

function blocksFrom(text: string, from: number): Block[] {
  const parsed = text.slice(from);
  return tree(parsed).map((node) => {
    const begin = lineStart(parsed, node.position?.start.offset ?? 0);
    const end = node.position?.end.offset ?? parsed.length;
    return { start: from + begin, source: parsed.slice(begin, end), node, parsed };
  });
}

/** A text that no parser of ours survives (nested thousands of levels deep) is shown as it is. */
function tree(text: string): RootContent[] {
  if (TOO_NESTED.test(text)) return [{ type: "html", value: text }];
  return fromMarkdown(text, SYNTAX).children;
}

function unchanged(block: Block, before: readonly Block[]): Block | undefined {
  return before.find(
    ({ start, source, node }) => start === block.start && source === block.source && node.type === block.node.type,
  );
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}
