// A button that puts a text on the clipboard and says so.

import { type ReactNode, useEffect, useState } from "react";
import { useTexts } from "../i18n/texts.ts";
import { Icon } from "./Icon.tsx";

const SAID_MS = 2_000;

/** Copies `text`; for two seconds it says that it did. */
export function CopyButton({ text }: { text: string }): ReactNode {
  const texts = useTexts();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SAID_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const label = copied ? texts.copied : texts.copy;
  return (
    <button
      type="button"
      className="tool copy"
      aria-label={label}
      title={label}
      onClick={() => void copy(text).then(setCopied)}
    >
      <Icon name={copied ? "check" : "copy"} />
      <span className="visually-hidden" role="status">
        {copied ? texts.copied : ""}
      </span>
    </button>
  );
}

/** Whether it worked: a frame may not be allowed to use the clipboard. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const before = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const worked = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  return worked;
}
