// How much a visitor loads, per entry, and how much it may be.

import { readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

import { FORMS, isForm } from "./compress.mjs";
import { filesIn, WEB } from "./sources.mjs";

/** Raw and compressed bytes of every entry in `folder`: what the first load of it takes, without the HTML. */
export function sizesOf(folder) {
  const entries = {};
  for (const page of ["index", "embed"]) {
    const html = readFileSync(join(folder, `${page}.html`), "utf8");
    for (const kind of ["js", "css"]) {
      const names = [...html.matchAll(new RegExp(`(?:src|href)="/(assets/[^"]+\\.${kind})"`, "g"))].map(
        ([, name]) => name,
      );
      entries[`${page} ${kind}`] = total(names.map((name) => join(folder, name)));
    }
  }
  entries["widget.js"] = total([join(folder, "widget.js")]);
  entries.everything = total(
    filesIn(folder).filter((file) => isForm(file) === false && !file.endsWith("manifest.json")),
  );
  return entries;
}

function total(files) {
  const sum = { raw: 0, gzip: 0, brotli: 0 };
  for (const file of files) {
    const bytes = readFileSync(file);
    sum.raw += bytes.length;
    sum.gzip += FORMS[".gz"].make(bytes).length;
    sum.brotli += FORMS[".br"].make(bytes).length;
  }
  return sum;
}

/** A table for people, and the names of the entries that are over their budget. */
export function judge(sizes) {
  const budget = JSON.parse(readFileSync(join(WEB, "budget.json"), "utf8"));
  const over = [];
  const lines = [["entry", "raw", "gzip", "brotli", "budget (gzip)"]];
  for (const [entry, { raw, gzip, brotli }] of Object.entries(sizes)) {
    const limit = budget.gzip_bytes[entry];
    if (limit !== undefined && gzip > limit) over.push(entry);
    lines.push([entry, raw, gzip, brotli, limit === undefined ? "" : `${limit}${gzip > limit ? "  OVER" : ""}`]);
  }
  const table = lines.map((cells) =>
    cells.map((cell, at) => String(cell)[at ? "padStart" : "padEnd"](at ? 10 : 14)).join(" "),
  );
  return { table: table.join("\n"), over };
}

/** The files of a bundle that are compared, by their names in it. */
export function filesOf(folder) {
  return new Map(filesIn(folder).map((file) => [relative(folder, file).split(sep).join("/"), readFileSync(file)]));
}
