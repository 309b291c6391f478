// `node build/run.mjs build|check|size`: makes web/dist, proves that it is current, or prints what it weighs.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { bundle } from "./bundle.mjs";
import { FORMS, isForm } from "./compress.mjs";
import { filesOf, judge, sizesOf } from "./sizes.mjs";
import { hashOfSources, WEB } from "./sources.mjs";

const DIST = join(WEB, "dist");
const MANIFEST = "manifest.json";

const commands = { build: () => bundle(DIST).then(size), check, size };
const command = commands[process.argv[2]];
if (command === undefined) {
  console.error(`usage: node build/run.mjs ${Object.keys(commands).join("|")}`);
  process.exitCode = 2;
} else {
  const problems = (await command()) ?? [];
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}

/** What is over its budget. */
function size() {
  const { table, over } = judge(sizesOf(DIST));
  console.log(table);
  return over.map((entry) => `${entry} is over its budget in web/budget.json`);
}

/** In what the committed bundle differs from the one that its sources make. */
async function check() {
  const { sources } = JSON.parse(readFileSync(join(DIST, MANIFEST), "utf8"));
  if (sources !== hashOfSources()) return ["web/dist is not built from these sources: run `npm run build` in web/"];
  const folder = mkdtempSync(join(tmpdir(), "onya-bundle-"));
  try {
    await bundle(folder);
    return [...differences(filesOf(DIST), filesOf(folder)), ...size()];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Compressed forms may differ between versions of zlib; what they hold may not. */
function differences(committed, built) {
  const names = new Set([...committed.keys(), ...built.keys()]);
  return [...names].flatMap((name) => {
    const [ours, fresh] = [committed.get(name), built.get(name)];
    if (ours === undefined) return [`web/dist/${name} is missing`];
    if (fresh === undefined) return [`web/dist/${name} is not part of the bundle`];
    if (name === MANIFEST) return [];
    const same = isForm(name) ? content(name, ours).equals(content(name, fresh)) : ours.equals(fresh);
    return same ? [] : [`web/dist/${name} differs from what its sources make`];
  });
}

function content(name, bytes) {
  const [, { read }] = Object.entries(FORMS).find(([ending]) => name.endsWith(ending));
  return read(bytes);
}
