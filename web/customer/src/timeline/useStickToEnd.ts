// Where the conversation is scrolled to: at its end while it grows, unless the reader has scrolled up; and in the same
// place when earlier messages are put before what is shown.

import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

const NEAR_PX = 48;
const FAR_PX = 160;

interface StickToEnd {
  /** The part that scrolls. */
  area: RefObject<HTMLDivElement | null>;
  /** What grows within it. */
  content: RefObject<HTMLDivElement | null>;
  /** The reader is looking at something earlier. */
  isAway: boolean;
  toEnd: () => void;
}

/** `firstKey` names the first item: when it changes, earlier ones were put before it. */
export function useStickToEnd(firstKey: string | undefined): StickToEnd {
  const area = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const isStuck = useRef(true);
  const [isAway, setAway] = useState(false);

  const toEnd = useCallback(() => {
    isStuck.current = true;
    setAway(false);
    if (area.current) area.current.scrollTop = area.current.scrollHeight;
  }, []);

  useEffect(() => {
    const node = area.current;
    if (node === null || content.current === null) return;
    const follow = () => {
      const left = distanceToEnd(node);
      isStuck.current = left <= NEAR_PX;
      setAway(left > FAR_PX);
    };
    const grown = () => {
      if (isStuck.current) node.scrollTop = node.scrollHeight;
      else setAway(distanceToEnd(node) > FAR_PX);
    };
    const observer = new ResizeObserver(grown);
    observer.observe(content.current);
    observer.observe(node);
    node.addEventListener("scroll", follow, { passive: true });
    return () => {
      observer.disconnect();
      node.removeEventListener("scroll", follow);
    };
  }, []);

  useKeptPlace(area, isStuck, firstKey);
  return { area, content, isAway, toEnd };
}

/** Earlier messages above must not push away the line that is being read. */
function useKeptPlace(
  area: RefObject<HTMLDivElement | null>,
  isStuck: RefObject<boolean>,
  firstKey: string | undefined,
): void {
  const before = useRef({ firstKey, height: 0 });
  useLayoutEffect(() => {
    const node = area.current;
    if (node === null) return;
    const last = before.current;
    const wasPrepended = last.firstKey !== undefined && last.firstKey !== firstKey;
    if (wasPrepended && !isStuck.current) node.scrollTop += node.scrollHeight - last.height;
    before.current = { firstKey, height: node.scrollHeight };
  });
}

function distanceToEnd(node: HTMLElement): number {
  return node.scrollHeight - node.scrollTop - node.clientHeight;
}
