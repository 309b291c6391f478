// Renders /openapi.json for people. Text only ever becomes text: nothing of the document is read as markup.

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const nameOf = (reference) => reference.split("/").at(-1);

/** A schema in few words: `LogEntry[]`, `string | null`, `{ seq, … }`. */
function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.oneOf || schema.anyOf) return (schema.oneOf ?? schema.anyOf).map(typeOf).join(" | ");
  if (schema.type === "array") return `${typeOf(schema.items)}[]`;
  return [schema.type ?? "any"].flat().join(" | ");
}

function reference(schema) {
  const name = schema?.$ref && nameOf(schema.$ref);
  return name ? element("a", { href: `#${name}` }, element("code", {}, name)) : element("code", {}, typeOf(schema));
}

function table(heads, rows) {
  const line = (cell, values) => element("tr", {}, ...values.map((value) => element(cell, {}, value)));
  return element("table", {}, line("th", heads), ...rows.map((row) => line("td", row)));
}

function operationOf(path, method, operation) {
  const inside = element("div", { class: "inside" });
  if (operation.description) inside.append(element("p", {}, operation.description));
  if (operation.parameters?.length) {
    const rows = operation.parameters.map((p) => [
      element("code", {}, p.name), p.in, typeOf(p.schema), p.required ? "yes" : "", p.description ?? "",
    ]);
    inside.append(element("h4", {}, "Parameters"), table(["name", "in", "type", "required", "meaning"], rows));
  }
  const body = operation.requestBody?.content?.["application/json"]?.schema;
  if (body) inside.append(element("h4", {}, "Body"), element("p", {}, reference(body)));
  const responses = Object.entries(operation.responses).map(([status, response]) => [
    status, response.description ?? "", reference(response.content?.["application/json"]?.schema),
  ]);
  inside.append(element("h4", {}, "Answers"), table(["status", "meaning", "body"], responses));
  const title = element("summary", {}, element("span", { class: "method" }, method.toUpperCase()), " ",
    element("code", {}, path), ` – ${operation.summary ?? ""}`);
  return element("details", { id: operation.operationId ?? `${method}-${path}` }, title, inside);
}

function schemaOf(name, schema) {
  const inside = element("div", { class: "inside" });
  if (schema.description) inside.append(element("p", {}, schema.description));
  inside.append(element("pre", {}, JSON.stringify(schema, null, 2)));
  return element("details", { id: name }, element("summary", {}, element("code", {}, name)), inside);
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
}

async function main() {
  const response = await fetch("/openapi.json");
  const api = await response.json();
  const content = [element("h1", {}, `${api.info.title} ${api.info.version}`), element("p", {}, api.info.description)];
  content.push(element("p", {}, element("a", { href: "/openapi.json" }, "openapi.json")));
  for (const tag of api.tags) {
    content.push(element("h2", {}, tag.name), element("p", {}, tag.description ?? ""));
    for (const [path, operations] of Object.entries(api.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        if (operation.tags?.includes(tag.name)) content.push(operationOf(path, method, operation));
      }
    }
  }
  content.push(element("h2", {}, "Types"));
  for (const [name, schema] of Object.entries(api.components.schemas)) content.push(schemaOf(name, schema));
  document.getElementById("content").replaceChildren(...content);
  addEventListener("hashchange", openTarget);
  openTarget();
}

main().catch((error) => {
  document.getElementById("content").replaceChildren(element("p", {}, `The description could not be loaded: ${error.message}`));
});
