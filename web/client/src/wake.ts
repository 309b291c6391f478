// What a browser says about the network and about whether somebody looks. Nothing outside a browser.

/** Who wants to know. */
export interface WakeEvents {
  /** The network is back or the page is looked at again. */
  wake(): void;
  /** The network is gone, says the browser. */
  lost(): void;
}

/** Listens until the returned function is called. */
export function onWake({ wake, lost }: WakeEvents): () => void {
  const page = typeof document === "undefined" ? null : document;
  if (page === null) return () => undefined;
  const looked = () => {
    if (page.visibilityState === "visible") wake();
  };
  addEventListener("online", wake);
  addEventListener("offline", lost);
  addEventListener("pageshow", wake);
  page.addEventListener("visibilitychange", looked);
  return () => {
    removeEventListener("online", wake);
    removeEventListener("offline", lost);
    removeEventListener("pageshow", wake);
    page.removeEventListener("visibilitychange", looked);
  };
}

/** Whether the browser says that there is no network at all. */
export function isOffline(): boolean {
  return typeof navigator !== "undefined" && navigator.onLine === false;
}
