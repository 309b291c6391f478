// What stands in place of a conversation that was erased.

import type { ErasedItem } from "@onya/client";
import type { ReactNode } from "react";
import { useTexts } from "../i18n/texts.ts";

/** The one line that is left. */
export function Erased({ item }: { item: ErasedItem }): ReactNode {
  const texts = useTexts();
  return (
    <li className="item notice" data-key={item.key} data-erased="">
      {texts.erased}
    </li>
  );
}
