// Writes src/generated/protocol.ts: TypeScript types of every frame, from the JSON Schema in docs/schema.
//
//   npm run generate -w client
//
// It knows just the part of JSON Schema that those files use and stops at anything else, so that a new keyword is
// noticed instead of typed wrongly.

import { readFileSync, writeFileSync } from "node:fs";

const SCHEMAS = new URL("../../../docs/schema/", import.meta.url);
const TARGET = new URL("../src/generated/protocol.ts", import.meta.url);
const FILES = ["server-frame.json", "customer-frame.json", "staff-frame.json"];
const HEADER = "// Generated from docs/schema by `npm run generate -w client`. Do not edit.\n";
const ANNOTATIONS = new Set(["$schema", "title", "description", "default", "format", "minimum", "maximum"]);
const LENGTHS = new Set(["minLength", "maxLength", "pattern"]);
const SHAPES = new Set(["$ref", "const", "enum", "oneOf", "anyOf", "type", "properties", "required", "items", "$defs"]);

/** The whole generated file. */
export function generate() {
  const definitions = new Map();
  for (const file of FILES) collect(JSON.parse(readFileSync(new URL(file, SCHEMAS), "utf8")), definitions);
  const names = [...definitions.keys()].sort();
  return `${HEADER}\n${names.map((name) => declaration(name, definitions.get(name))).join("\n")}`;
}

function collect({ $defs = {}, ...frame }, definitions) {
  for (const [name, schema] of Object.entries({ ...$defs, [frame.title]: frame })) {
    const known = definitions.get(name);
    if (known && JSON.stringify(known) !== JSON.stringify(schema)) throw new Error(`two different schemas: ${name}`);
    definitions.set(name, schema);
  }
}

function declaration(name, schema) {
  return `${comment(schema.description, "")}export type ${name} = ${typeOf(schema, "")};\n`.replace(" = \n", " =\n");
}

function comment(text, indent) {
  if (!text) return "";
  const lines = text.replaceAll("*/", "*\\/").split("\n");
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`;
}

/** A type is the intersection of everything that its schema says. */
function typeOf(schema, indent) {
  if (schema === true) return "unknown";
  for (const key of Object.keys(schema)) {
    if (!ANNOTATIONS.has(key) && !LENGTHS.has(key) && !SHAPES.has(key)) throw new Error(`unknown keyword: ${key}`);
  }
  if (schema.$ref && !schema.properties) return schema.$ref.replace("#/$defs/", "");
  const parts = [];
  if (schema.$ref) parts.push(schema.$ref.replace("#/$defs/", ""));
  if (schema.properties) parts.push(objectOf(schema, indent));
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) parts.push(parenthesized(choiceOf(choices, indent), parts.length > 0));
  return parts.length > 0 ? parts.join(" & ") : plain(schema, indent);
}

function parenthesized(type, isNeeded) {
  return isNeeded ? `(${type})` : type;
}

function choiceOf(choices, indent) {
  const isLong = choices.some(({ properties, description }) => properties || description);
  if (!isLong) return choices.map((choice) => typeOf(choice, indent)).join(" | ");
  const inner = `${indent}  `;
  return choices.map((choice) => `\n${comment(choice.description, inner)}${inner}| ${typeOf(choice, inner)}`).join("");
}

function objectOf({ properties, required = [] }, indent) {
  const inner = `${indent}  `;
  const lines = Object.entries(properties).map(([name, schema]) => {
    const mark = required.includes(name) ? "" : "?";
    return `${comment(schema.description, inner)}${inner}${name}${mark}: ${typeOf(schema, inner)};\n`;
  });
  return `{\n${lines.join("")}${indent}}`;
}

function plain(schema, indent) {
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const kinds = [schema.type].flat();
  return kinds.map((kind) => primitive(kind, schema, indent)).join(" | ");
}

function primitive(kind, schema, indent) {
  switch (kind) {
    case "integer":
    case "number":
      return "number";
    case "string":
    case "boolean":
    case "null":
      return kind;
    case "array":
      return `readonly ${elementOf(typeOf(schema.items, indent))}[]`;
    default:
      throw new Error(`unknown type: ${kind}`);
  }
}

function elementOf(type) {
  return /^[\w]+$/.test(type) ? type : `(${type})`;
}

if (process.argv[1] === new URL(import.meta.url).pathname) writeFileSync(TARGET, generate());
