// The text of a model or an agent. Only what is listed here becomes an element; everything else is shown as the text
// that it is, and nothing is ever loaded from where it points.

import type { ReactNode } from "react";
import { memo, useState } from "react";
import { type Block, LONGEST_MARKDOWN, type ParsedText, parseBlocks } from "./blocks.ts";
import { renderNode } from "./render.tsx";

/** Shows `text` as Markdown by an allowlist; while a reply is written, only its last blocks are drawn again. */
export const Markdown = memo(function Markdown({ text }: { text: string }): ReactNode {
  const [parser] = useState(createParser);
  const blocks = parser(text.slice(0, LONGEST_MARKDOWN));
  const rest = text.slice(LONGEST_MARKDOWN);
  return (
    <div className="markdown">
      {blocks.map((block) => (
        <TopBlock key={block.start} block={block} />
      ))}
      {rest !== "" && (
        <p dir="auto" className="plain">
          {rest}
        </p>
      )}
    </div>
  );
});

const TopBlock = memo(function TopBlock({ block }: { block: Block }): ReactNode {
  return renderNode(block.node, { parsed: block.parsed, depth: 0 });
});

/** Remembers the last parse, which only saves time: the blocks depend on nothing but the text. */
function createParser(): (text: string) => readonly Block[] {
  let last: ParsedText | null = null;
  return (text) => {
    last = parseBlocks(text, last);
    return last.blocks;
  };
}
