// Puts the app on the page, and measures how long that took.

import { type ComponentProps, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import "../styles/index.css";
import { App } from "./App.tsx";

/** A mounted app that can be given other properties. */
export interface Mounted {
  render: (props: ComponentProps<typeof App>) => void;
}

/** Shows the app in `#app`. The mark `onya-interactive` of the browser's performance timeline says when one can write. */
export function mount(props: ComponentProps<typeof App>): Mounted {
  const element = document.getElementById("app");
  if (element === null) throw new Error("the page has no #app");
  const root = createRoot(element);
  render(root, props);
  markInteractive();
  return { render: (next) => render(root, next) };
}

function render(root: Root, props: ComponentProps<typeof App>): void {
  root.render(
    <StrictMode>
      <App {...props} />
    </StrictMode>,
  );
}

function markInteractive(): void {
  const look = () => {
    if (document.getElementById("text") === null) requestAnimationFrame(look);
    else performance.mark("onya-interactive");
  };
  requestAnimationFrame(look);
}
