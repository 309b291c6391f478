// On a phone the panel fills what is visible of the page, also above an on-screen keyboard.

/** Keeps `--height` and `--top` of the element up to date; the result ends it. */
export function fillViewport(node: HTMLElement): () => void {
  const viewport = window.visualViewport;
  if (!viewport) return () => undefined;
  const follow = () => {
    node.style.setProperty("--height", `${viewport.height}px`);
    node.style.setProperty("--top", `${viewport.offsetTop}px`);
  };
  follow();
  viewport.addEventListener("resize", follow);
  viewport.addEventListener("scroll", follow);
  return () => {
    viewport.removeEventListener("resize", follow);
    viewport.removeEventListener("scroll", follow);
  };
}
