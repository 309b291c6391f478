// What may be wider than a bubble: it scrolls by itself, also by keyboard.

import { type ReactNode, useEffect, useRef, useState } from "react";

/** A part that scrolls sideways; it takes the focus only while there is something to scroll. */
export function ScrollArea({ className, children }: { className: string; children: ReactNode }): ReactNode {
  const area = useRef<HTMLDivElement>(null);
  const [overflows, setOverflows] = useState(false);
  useEffect(() => {
    const node = area.current;
    if (node === null) return;
    const observer = new ResizeObserver(() => setOverflows(node.scrollWidth > node.clientWidth));
    observer.observe(node);
    for (const child of node.children) observer.observe(child);
    return () => observer.disconnect();
  }, []);
  return (
    <div className={className} dir="auto" ref={area} tabIndex={overflows ? 0 : undefined}>
      {children}
    </div>
  );
}
