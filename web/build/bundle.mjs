// Builds everything that a browser loads into a folder.

import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "vite";

import { FORMS } from "./compress.mjs";
import { sizesOf } from "./sizes.mjs";
import { filesIn, hashOfSources, WEB } from "./sources.mjs";

/** Empties `folder` and fills it: pages, assets, the widget's script, compressed forms, manifest.json. */
export async function bundle(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const options = { logLevel: "warn", build: { outDir: folder } };
  await build({ configFile: join(WEB, "customer/vite.config.ts"), ...options });
  movePages(folder);
  await build({ configFile: join(WEB, "widget/vite.config.ts"), ...options });
  copyFileSync(join(WEB, "widget/example.js"), join(folder, "example.js"));
  const manifest = { sources: hashOfSources(), sizes: sizesOf(folder) };
  compress(folder);
  writeFileSync(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Vite puts a page where its source lies; here all stand side by side. */
function movePages(folder) {
  for (const part of ["customer", "widget"]) {
    for (const page of filesIn(join(folder, part))) renameSync(page, join(folder, basename(page)));
    rmSync(join(folder, part), { recursive: true, force: true });
  }
}

function compress(folder) {
  for (const file of filesIn(folder)) {
    const bytes = readFileSync(file);
    for (const [ending, { make }] of Object.entries(FORMS)) {
      const made = make(bytes);
      if (made.length < bytes.length) writeFileSync(file + ending, made);
    }
  }
}
