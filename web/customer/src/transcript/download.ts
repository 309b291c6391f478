// Hands a document that was made here to the browser's downloads.

/** Saves `content` under `name`. */
export function download(name: string, type: "text/plain" | "text/html", content: string): void {
  const address = URL.createObjectURL(new Blob([content], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 0);
}
