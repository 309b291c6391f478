// Addresses that stand in a text without any markup become links in the tree. The tokenizer finds them; this says what
// node each of them is.

import type { CompileContext, Extension, Token } from "mdast-util-from-markdown";

/** For `fromMarkdown`, beside the tokenizer's extension `gfmAutolinkLiteral`. */
export const autolinkNodes: Extension = {
  enter: {
    literalAutolink(token) {
      this.enter({ type: "link", title: null, url: "", children: [] }, token);
    },
    literalAutolinkEmail: enterText,
    literalAutolinkHttp: enterText,
    literalAutolinkWww: enterText,
  },
  exit: {
    literalAutolink(token) {
      this.exit(token);
    },
    literalAutolinkEmail(token) {
      leadTo(this, token, "mailto:");
    },
    literalAutolinkHttp(token) {
      leadTo(this, token, "");
    },
    literalAutolinkWww(token) {
      leadTo(this, token, "http://");
    },
  },
};

function enterText(this: CompileContext, token: Token): undefined {
  this.config.enter.data?.call(this, token);
}

function leadTo(context: CompileContext, token: Token, scheme: string): undefined {
  context.config.exit.data?.call(context, token);
  const link = context.stack.at(-1);
  if (link?.type === "link") link.url = scheme + context.sliceSerialize(token);
}
