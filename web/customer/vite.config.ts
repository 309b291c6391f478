// The pages: the app at `/`, the app in a frame at `/embed`, the example of a site at `/example`.

import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defaultClientConditions, defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const server = process.env.ONYA_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  root: here(".."),
  base: "/",
  publicDir: false,
  plugins: [react()],
  // The kit as it is written here, not as it was last built.
  resolve: { conditions: ["source", ...defaultClientConditions] },
  build: {
    outDir: here("../dist"),
    emptyOutDir: true,
    target: ["es2022", "safari16", "firefox115", "chrome111"],
    // The Content-Security-Policy of the pages allows neither scripts nor styles that stand in them.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      input: { index: here("index.html"), embed: here("embed.html"), example: here("../widget/example.html") },
      output: {
        entryFileNames: "assets/[name]-[hash].js",
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
        // What both pages need is one file; languages and transcripts are loaded when they are wanted.
        codeSplitting: {
          groups: [
            {
              name: "app",
              test: /node_modules|client\/src|customer\/src\/(shell|timeline|markdown|i18n\/(en|language|pageLanguage|texts))/,
            },
          ],
        },
      },
    },
  },
  server: {
    // The server compares the origin of a page with its list: for it, this page is its own.
    proxy: { "/v1": { target: server, ws: true, headers: { origin: server } } },
  },
});
