// A block of code with a button that copies it.

import type { ReactNode } from "react";
import { CopyButton } from "../shell/CopyButton.tsx";
import { showDirectionControls } from "./bidi.ts";
import { ScrollArea } from "./ScrollArea.tsx";

const LANGUAGE_NAME = /^[\w+#.-]{1,24}$/;

/** Code, always from left to right; a long line scrolls within it. */
export function CodeBlock({ code, language }: { code: string; language: string | null }): ReactNode {
  const name = language !== null && LANGUAGE_NAME.test(language) ? language : "";
  return (
    <div className="code" dir="ltr">
      <div className="code-head">
        <span>{name}</span>
        <CopyButton text={code} />
      </div>
      <ScrollArea className="code-text">
        <pre>
          <code>{showDirectionControls(code)}</code>
        </pre>
      </ScrollArea>
    </div>
  );
}
