// What the bundle is built from, as one number.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of everything for browsers. */
export const WEB = fileURLToPath(new URL("..", import.meta.url));

const PARTS = [
  "package.json",
  "package-lock.json",
  "tsconfig.base.json",
  "build",
  "client/package.json",
  "client/tsconfig.json",
  "client/scripts",
  "client/src",
  "customer/package.json",
  "customer/tsconfig.json",
  "customer/vite.config.ts",
  "customer/index.html",
  "customer/embed.html",
  "customer/src",
  "widget/package.json",
  "widget/tsconfig.json",
  "widget/vite.config.ts",
  "widget/example.html",
  "widget/example.css",
  "widget/example.js",
  "widget/src",
  "../docs/schema",
];

/** SHA-256, in hexadecimal, over the path and the content of every source in the order of the paths. */
export function hashOfSources() {
  const hash = createHash("sha256");
  const files = PARTS.flatMap((part) => filesIn(join(WEB, part)));
  const named = files.map((file) => [relative(WEB, file).split(sep).join("/"), file]);
  for (const [name, file] of named.sort(([a], [b]) => (a < b ? -1 : 1))) {
    const content = readFileSync(file);
    hash.update(`${name}\n${content.length}\n`).update(content);
  }
  return hash.digest("hex");
}

/** Every file in a folder and below, or the file itself; nothing if there is neither. */
export function filesIn(path) {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesIn(join(path, name)));
}
