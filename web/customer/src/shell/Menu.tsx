// A button that shows a few more buttons.

import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { Icon } from "./Icon.tsx";

/** Shows its children while it is open; a click on one of them, a click elsewhere or Escape closes it. */
export function Menu({ label, children }: { label: string; children: ReactNode }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (!isOpen) return;
    const closeOutside = ({ target }: Event) => {
      if (target instanceof Node && !root.current?.contains(target)) setOpen(false);
    };
    addEventListener("pointerdown", closeOutside);
    addEventListener("focusin", closeOutside);
    return () => {
      removeEventListener("pointerdown", closeOutside);
      removeEventListener("focusin", closeOutside);
    };
  }, [isOpen]);
  const close = () => {
    setOpen(false);
    // Before what was chosen opens something, which gives the focus back to where it was.
    root.current?.querySelector("button")?.focus();
  };
  const closeByKey = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !isOpen) return;
    event.stopPropagation();
    event.nativeEvent.stopImmediatePropagation();
    close();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: only listens to Escape within
    <div className="menu" ref={root} onKeyDown={closeByKey}>
      <button
        id="menu"
        type="button"
        className="tool"
        aria-label={label}
        title={label}
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setOpen(!isOpen)}
      >
        <Icon name="more" />
      </button>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the buttons within do the keys */}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: closes after a click on one of the buttons within */}
      <div id={id} className="menu-items" hidden={!isOpen} onClick={close}>
        {children}
      </div>
    </div>
  );
}
