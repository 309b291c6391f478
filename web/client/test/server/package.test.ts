// The package as it would be published: what is in it, that its types can be used, and that the README's example runs.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

import { Onya } from "./onya.ts";

const CLIENT = fileURLToPath(new URL("../..", import.meta.url));
const MODULES = fileURLToPath(new URL("../../../node_modules", import.meta.url));

let onya: Onya;
let folder: string;
let files: string[];
beforeAll(async () => {
  onya = await Onya.start();
  folder = mkdtempSync(join(tmpdir(), "onya-package-"));
  run("npm", ["run", "build"], CLIENT);
  const tarball = run("npm", ["pack", "--silent", "--pack-destination", folder], CLIENT).trim();
  files = run("tar", ["-tf", tarball]).trim().split("\n");
  mkdirSync(join(folder, "node_modules/@onya/client"), { recursive: true });
  run("tar", ["-xf", tarball, "--strip-components=1", "-C", "node_modules/@onya/client"]);
  for (const name of ["ws", "react", "@types"]) symlinkSync(join(MODULES, name), join(folder, "node_modules", name));
});
afterAll(async () => {
  await onya?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function run(program: string, options: string[], cwd = folder): string {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ONYA_URL: onya.url };
  return execFileSync(program, options, { cwd, env, encoding: "utf8", timeout: 60_000 });
}

test("it has nothing but the compiled modules, their types, the README and its description", () => {
  const others = files.filter((file) => !/^package\/dist\/(generated\/)?[a-z-]+\.(js|d\.ts)$/.test(file));
  expect(others.sort()).toEqual(["package/README.md", "package/package.json"]);
});

test("the example of the README runs", () => {
  const example = /```js\n([\s\S]*?)```/.exec(readFileSync(join(CLIENT, "README.md"), "utf8"))?.[1];
  writeFileSync(join(folder, "example.mjs"), example ?? expect.fail("there is no example"));
  const [you, assistant] = run("node", ["example.mjs"]).split("\n");
  expect(you).toBe("You: Where is my parcel?");
  expect(assistant).toMatch(/^Assistant: .+Where is my parcel/);
});

test("its types can be used by a strict program", () => {
  const program = `
    import { createChat, type TimelineItem } from "@onya/client";
    import { useChatSelector } from "@onya/client/react";
    const chat = createChat({ url: "http://chat.test" });
    export const item: TimelineItem | undefined = chat.state.timeline[0];
    export const useCount = (): number => useChatSelector(chat, (state) => state.timeline.length);
    // @ts-expect-error: a score is "up" or "down"
    chat.rate("sideways");
  `;
  writeFileSync(join(folder, "program.ts"), program);
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--types", "", "program.ts"];
  expect(run(join(MODULES, ".bin/tsc"), options)).toBe("");
});
