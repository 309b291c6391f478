// From syntax tree to elements: the allowlist. No property of an element comes from the text, but for the checked
// addresses of links and the first number of a list.

import type { List, ListItem, Nodes, Parents, Table, TableRow } from "mdast";
import { createElement, Fragment, type ReactNode } from "react";
import { showDirectionControls } from "./bidi.ts";
import { CodeBlock } from "./CodeBlock.tsx";
import { SafeLink } from "./SafeLink.tsx";
import { ScrollArea } from "./ScrollArea.tsx";

/** Where a node stands: the string its positions count in, and how deep it is nested. */
export interface Place {
  parsed: string;
  depth: number;
}

const DEEPEST = 16;

/** One node as an element, or as its source if it is of no allowed kind or nested too deeply. */
export function renderNode(node: Nodes, place: Place): ReactNode {
  if (place.depth > DEEPEST) return sourceOf(node, place);
  const children = () => ("children" in node ? renderChildren(node, place) : null);
  switch (node.type) {
    case "text":
      return node.value;
    case "paragraph":
      return <p dir="auto">{children()}</p>;
    case "heading":
      return <Heading depth={node.depth}>{children()}</Heading>;
    case "emphasis":
      return <em>{children()}</em>;
    case "strong":
      return <strong>{children()}</strong>;
    case "delete":
      return <del>{children()}</del>;
    case "inlineCode":
      return <code>{showDirectionControls(node.value)}</code>;
    case "code":
      return <CodeBlock code={node.value} language={node.lang ?? null} />;
    case "blockquote":
      return <blockquote dir="auto">{children()}</blockquote>;
    case "list":
      return renderList(node, children());
    case "listItem":
      return renderItem(node, place);
    case "table":
      return renderTable(node, place);
    case "break":
      return <br />;
    case "thematicBreak":
      return <hr />;
    case "link":
      return (
        <SafeLink address={node.url} text={plainText(node)}>
          {children()}
        </SafeLink>
      );
    case "image":
      return <SafeLink address={node.url} text={node.alt ?? ""} picture />;
    case "html":
      return place.depth === 0 ? (
        <p dir="auto" className="plain">
          {node.value}
        </p>
      ) : (
        node.value
      );
    default:
      return sourceOf(node, place);
  }
}

/** Positional children: the order within a node only grows while a reply is written, so that no key is needed. */
function renderChildren(node: Parents, place: Place): ReactNode {
  const within = { ...place, depth: place.depth + 1 };
  return inOrder(node.children.map((child) => renderNode(child, within)));
}

function inOrder(children: readonly ReactNode[]): ReactNode {
  return createElement(Fragment, null, ...children);
}

/** All of one level, right below the title of the app: a message may begin with any of them. */
function Heading({ depth, children }: { depth: number; children: ReactNode }): ReactNode {
  return (
    <h2 dir="auto" data-depth={depth}>
      {children}
    </h2>
  );
}

function renderList(node: List, children: ReactNode): ReactNode {
  if (!node.ordered) return <ul dir="auto">{children}</ul>;
  return (
    <ol dir="auto" start={node.start ?? 1}>
      {children}
    </ol>
  );
}

function renderItem(node: ListItem, place: Place): ReactNode {
  const within = { ...place, depth: place.depth + 1 };
  const isTight = node.spread !== true;
  return (
    <li>
      {inOrder(
        node.children.map((child) =>
          isTight && child.type === "paragraph" ? (
            <span key={child.position?.start.offset} className="tight">
              {renderChildren(child, within)}
            </span>
          ) : (
            renderNode(child, within)
          ),
        ),
      )}
    </li>
  );
}

function renderTable(node: Table, place: Place): ReactNode {
  const within = { ...place, depth: place.depth + 1 };
  const row = (cells: TableRow, Cell: "th" | "td") => (
    <tr>
      {inOrder(
        cells.children.map((cell, column) => (
          <Cell key={cell.position?.start.offset} dir="auto" data-align={node.align?.[column] ?? undefined}>
            {renderChildren(cell, within)}
          </Cell>
        )),
      )}
    </tr>
  );
  const [head, ...body] = node.children;
  return (
    <ScrollArea className="table">
      <table>
        {head && <thead>{row(head, "th")}</thead>}
        {body.length > 0 && <tbody>{inOrder(body.map((cells) => row(cells, "td")))}</tbody>}
      </table>
    </ScrollArea>
  );
}

function plainText(node: Nodes, depth = 0): string {
  if (depth > DEEPEST) return "";
  if ("value" in node) return node.value;
  if ("children" in node) return node.children.map((child) => plainText(child, depth + 1)).join("");
  return "alt" in node ? (node.alt ?? "") : "";
}

function sourceOf(node: Nodes, { parsed }: Place): string {
  if (node.position === undefined) return plainText(node);
  return parsed.slice(node.position.start.offset, node.position.end.offset);
}
