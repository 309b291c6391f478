// Checks custom resources, read as JSON from standard input, in two ways: by the schema of their definition, and by its type,
// which also finds fields that do not exist. The argument is the folder with node_modules. What is wrong is printed.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const PACKAGES = {
  "cert-manager.io": "@kubernetes-models/cert-manager",
  "external-secrets.io": "@kubernetes-models/external-secrets",
  "gateway.envoyproxy.io": "@kubernetes-models/envoy-gateway",
  "gateway.networking.k8s.io": "@kubernetes-models/gateway-api",
  "networking.istio.io": "@kubernetes-models/istio",
  "security.istio.io": "@kubernetes-models/istio",
};

const home = path.resolve(process.argv[2]);
const ts = createRequire(path.join(home, "package.json"))("typescript");
const objects = JSON.parse(readFileSync(0, "utf8"));
const problems = [];
const lines = [];

for (const [index, object] of objects.entries()) {
  const [group] = object.apiVersion.split("/");
  const name = `${object.kind}/${object.metadata.name}`;
  const model = `${PACKAGES[group]}/${object.apiVersion}/${object.kind}`;
  const file = path.join(home, "node_modules", `${model}.js`);
  try {
    const { [object.kind]: Model } = await import(pathToFileURL(file));
    new Model(object).validate();
  } catch (error) {
    problems.push(`${name} (${object.apiVersion}): ${error.message}`);
    continue;
  }
  lines.push(`import type { I${object.kind} as T${index} } from "${model}";`);
  lines.push(`export const o${index}: T${index} = ${JSON.stringify(object)}; // ${name}`);
}

// Beside node_modules, or the types would not be found.
const folder = mkdtempSync(path.join(home, "check-"));
try {
  const file = path.join(folder, "objects.ts");
  writeFileSync(file, lines.join("\n"));
  const options = { noEmit: true, strict: true, skipLibCheck: true, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, types: [] };
  for (const found of ts.getPreEmitDiagnostics(ts.createProgram([file], options))) {
    const line = found.file ? lines[found.file.getLineAndCharacterOfPosition(found.start).line] : "";
    problems.push(`${line.split(" // ")[1] ?? ""}: ${ts.flattenDiagnosticMessageText(found.messageText, " ")}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

console.log(problems.join("\n"));
process.exitCode = problems.length > 0 ? 1 : 0;
