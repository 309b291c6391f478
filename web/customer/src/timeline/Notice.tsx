// A sentence of the server, in the customer's language.

import type { NoticeItem } from "@onya/client";
import type { ReactNode } from "react";

/** A notice between the messages. */
export function Notice({ item }: { item: NoticeItem }): ReactNode {
  return (
    <li className="item notice" data-key={item.key} dir="auto">
      {item.text}
    </li>
  );
}
