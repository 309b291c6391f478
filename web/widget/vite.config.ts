// The loader: one classic script without imports, under a name that never changes.

import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("."),
  publicDir: false,
  build: {
    outDir: here("../dist"),
    emptyOutDir: false,
    target: ["es2022", "safari16.4", "firefox115", "chrome111"],
    reportCompressedSize: false,
    lib: { entry: here("src/loader.ts"), formats: ["iife"], name: "onyaWidgetLoader", fileName: () => "widget.js" },
  },
});
