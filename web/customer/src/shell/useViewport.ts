// Keeps the app above an on-screen keyboard where the browser lays it over the page instead of shrinking the page.

import { useEffect } from "react";

/** Sets `--app-height` and `--app-top` while the visible part of the page is smaller than the page. */
export function useViewport(): void {
  useEffect(() => {
    const viewport = window.visualViewport;
    if (!viewport) return;
    const follow = () => {
      const style = document.documentElement.style;
      const isCovered = viewport.scale === 1 && window.innerHeight - viewport.height > 1;
      if (isCovered) {
        style.setProperty("--app-height", `${viewport.height}px`);
        style.setProperty("--app-top", `${viewport.offsetTop}px`);
      } else {
        style.removeProperty("--app-height");
        style.removeProperty("--app-top");
      }
    };
    viewport.addEventListener("resize", follow);
    viewport.addEventListener("scroll", follow);
    return () => {
      viewport.removeEventListener("resize", follow);
      viewport.removeEventListener("scroll", follow);
    };
  }, []);
}
