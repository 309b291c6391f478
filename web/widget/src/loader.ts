// The script that a site includes:
//
//   <script src="https://chat.example.com/widget.js" data-language="fr" data-position="end" async></script>
//
// data-token: a signed token of a customer whom the site knows. data-language: a BCP 47 tag, otherwise the browser's.
// data-position: end (default) or start, as the page is written. `window.OnyaWidget` has the rest.

import { Widget, type WidgetOptions } from "./widget.ts";

/** What a site can call. */
export type OnyaWidget = Pick<Widget, "open" | "close" | "toggle" | "setToken" | "destroy">;

declare global {
  interface Window {
    OnyaWidget?: OnyaWidget;
  }
}

const script = document.currentScript;
if (script instanceof HTMLScriptElement && window.OnyaWidget === undefined) {
  const options = optionsOf(script);
  if (document.body === null) document.addEventListener("DOMContentLoaded", () => begin(options));
  else begin(options);
}

function optionsOf({ src, dataset }: HTMLScriptElement): WidgetOptions {
  return {
    origin: new URL(src, location.href).origin,
    language: dataset.language ?? null,
    side: dataset.position === "start" ? "start" : "end",
    token: dataset.token ?? null,
  };
}

function begin(options: WidgetOptions): void {
  const widget = new Widget(options);
  window.OnyaWidget = {
    open: () => widget.open(),
    close: () => widget.close(),
    toggle: () => widget.toggle(),
    setToken: (token) => widget.setToken(token),
    destroy: () => {
      widget.destroy();
      delete window.OnyaWidget;
    },
  };
}
