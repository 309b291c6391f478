// The pictures on buttons, drawn as strokes of the current colour.

import type { ReactNode } from "react";

const PATHS = {
  person:
    "M4 15v-3a8 8 0 0 1 16 0v3M4 13.5h3.5v6H6a2 2 0 0 1-2-2ZM20 13.5h-3.5v6H18a2 2 0 0 0 2-2ZM18.5 19.5c-.5 1.4-2.2 2-5 2",
  more: "M12 5.5v.01M12 12v.01M12 18.5v.01",
  send: "M12 19.5V5M5.5 11.5 12 5l6.5 6.5",
  down: "M12 5v14M5.5 12.5 12 19l6.5-6.5",
  up: "M7.5 11 11 3.5c1.5 0 2.5 1 2.5 2.5v3.5h5c1.2 0 2 1.1 1.8 2.2l-1.2 6.5c-.2 1-1 1.8-2 1.8H7.5ZM7.5 11H4v9h3.5",
  bad: "M7.5 13 11 20.5c1.5 0 2.5-1 2.5-2.5v-3.5h5c1.2 0 2-1.1 1.8-2.2l-1.2-6.5c-.2-1-1-1.8-2-1.8H7.5ZM7.5 13H4V4h3.5",
  again: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 3.5v4h-4",
  copy: "M9 9h11v11H9ZM5 15H4V4h11v1",
  check: "M5 12.5l4.5 4.5L19 7.5",
  clock: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 7.5V12l3 2",
  warning: "M12 4 2.8 20h18.4ZM12 10v4.5M12 17v.01",
  close: "M6 6l12 12M18 6 6 18",
} as const;

/** A picture, which says nothing to a screen reader: its button has a name. */
export function Icon({ name }: { name: keyof typeof PATHS }): ReactNode {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
