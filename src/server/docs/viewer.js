// Shows openapi.json as a page: each operation with its parameters, schemas and a form that sends a request.
// Runs in browsers, without a build step. Texts are only ever set as text, never as HTML.

const DOCUMENT_URL = new URL("../openapi.json", document.currentScript.src);
const METHODS = ["get", "post", "put", "patch", "delete"];

/** Creates an element. Attributes that begin with `on` are event handlers. */
function element(name, attributes = {}, ...children) {
  const created = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) created.addEventListener(key.slice(2), value);
    else if (value === true) created.setAttribute(key, "");
    else if (value !== undefined && value !== false) created.setAttribute(key, value);
  }
  created.append(...children.flat().filter((child) => child !== undefined && child !== ""));
  return created;
}

/** Returns a description as nodes: what stands between backticks is code. */
function words(text = "") {
  return text.split("`").map((part, index) => (index % 2 === 1 ? element("code", {}, part) : part));
}

/** Describes a schema's type in a few words: `array of string`, `"auto" | "none"`. */
function typeOf(schema) {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return [...new Set(options.map(typeOf))].join(" | ");
  if (schema.type === "array") return schema.items ? `array of ${typeOf(schema.items)}` : "array";
  if (Array.isArray(schema.type)) return schema.type.join(" | ");
  return schema.type ?? "any";
}

const LIMITS = ["default", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "format"];

function limitsOf(schema) {
  const given = LIMITS.filter((name) => schema[name] !== undefined);
  return given.map((name) => `${name} ${JSON.stringify(schema[name])}`).join(", ");
}

/** Returns the object schemas within a schema that have properties of their own. */
function objectsIn(schema) {
  if (schema.properties) return [schema];
  return [...(schema.anyOf ?? schema.oneOf ?? []), ...(schema.items ? [schema.items] : [])].flatMap(
    objectsIn,
  );
}

/** The fields of a schema as a list; those that hold objects can be opened. */
function fields(schema) {
  return objectsIn(schema).map(({ properties, required = [] }) =>
    element(
      "ul",
      { class: "fields" },
      Object.entries(properties).map(([name, field]) => {
        const about = [
          element("code", { class: "name" }, name),
          " ",
          element("span", { class: "type" }, typeOf(field)),
          required.includes(name) ? element("span", { class: "required" }, " required") : "",
          limitsOf(field) && element("span", { class: "limits" }, ` ${limitsOf(field)}`),
          field.description ? element("div", {}, words(field.description)) : "",
        ];
        const inner = fields(field);
        if (inner.length === 0) return element("li", {}, about);
        return element("li", {}, element("details", {}, element("summary", {}, about), inner));
      }),
    ),
  );
}

/** Replaces each `$ref` by what it refers to. The document has no schema that contains itself. */
function resolved(value, root) {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => resolved(item, root));
  if (typeof value.$ref === "string") {
    const path = value.$ref.replace(/^#\//, "").split("/");
    return resolved(
      path.reduce((found, part) => found[part], root),
      root,
    );
  }
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolved(member, root)]));
}

function responses(operation) {
  const rows = Object.entries(operation.responses).map(([status, { description, content = {} }]) => {
    const types = Object.entries(content).map(([type, { schema = {} }]) => {
      const inner = fields(schema);
      const name = element("code", {}, type);
      return inner.length === 0
        ? element("div", {}, name)
        : element("details", {}, element("summary", {}, name), inner);
    });
    return element("tr", {}, element("th", {}, status), element("td", {}, words(description), types));
  });
  return element("table", {}, element("tbody", {}, rows));
}

/** Sends a request and shows the answer piece by piece as it arrives. */
async function send(request, output, signal) {
  const began = performance.now();
  output.replaceChildren("…");
  try {
    const response = await fetch(request, { signal });
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const body = element("pre", { class: "body" });
    const status = element("strong", {}, `${response.status} ${response.statusText}`);
    output.replaceChildren(status, element("pre", { class: "headers" }, headers), body);
    const decoder = new TextDecoder();
    let text = "";
    const reader = response.body?.getReader();
    for (let next = await reader?.read(); next && !next.done; next = await reader.read()) {
      text += decoder.decode(next.value, { stream: true });
      body.textContent = text;
    }
    if (/json/.test(response.headers.get("content-type") ?? ""))
      body.textContent = JSON.stringify(JSON.parse(text), null, 2);
    status.append(` in ${Math.round(performance.now() - began)} ms`);
  } catch (error) {
    output.append(element("p", { class: "failure" }, String(error)));
  }
}

/** The form that tries an operation out. */
function form({ path, method, operation }, { base, key }) {
  const { parameters = [], requestBody, security } = operation;
  const inputs = parameters.map((parameter) => ({
    parameter,
    input: element("input", { name: parameter.name }),
  }));
  const text = JSON.stringify(requestBody?.content["application/json"].example ?? {}, null, 2);
  const rows = String(text.split("\n").length + 1);
  const body = requestBody && element("textarea", { rows, spellcheck: "false" }, text);
  const output = element("div", { class: "output", "aria-live": "polite" });
  let leaving = new AbortController();
  const submit = (event) => {
    event.preventDefault();
    leaving.abort();
    leaving = new AbortController();
    const url = new URL(base);
    let target = path;
    for (const { parameter, input } of inputs) {
      if (parameter.in === "path")
        target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value !== "") url.searchParams.set(parameter.name, input.value);
    }
    url.pathname = url.pathname.replace(/\/$/, "") + target;
    const headers = new Headers(body ? { "content-type": "application/json" } : {});
    const [scheme] = Object.keys(security[0] ?? {});
    if (scheme === "bearer" && key.value !== "") headers.set("authorization", `Bearer ${key.value}`);
    else if (scheme && key.value !== "") headers.set(scheme, key.value);
    const request = new Request(url, { method: method.toUpperCase(), headers, body: body?.value });
    void send(request, output, leaving.signal);
  };
  return element(
    "form",
    { onsubmit: submit },
    inputs.map(({ parameter, input }) =>
      element("label", {}, element("code", {}, parameter.name), " ", words(parameter.description), input),
    ),
    body ? element("label", {}, "Body", body) : "",
    element("button", {}, "Send"),
    " ",
    element("button", { type: "button", onclick: () => leaving.abort() }, "Cancel"),
    output,
  );
}

function section(entry, page) {
  const { path, method, operation } = entry;
  const schema = operation.requestBody?.content["application/json"].schema;
  const id = `${method}${path}`;
  const heading = element(
    "summary",
    {},
    element("span", { class: `method ${method}` }, method.toUpperCase()),
    " ",
    element("code", {}, path),
    " ",
    element("span", { class: "summary" }, operation.summary ?? ""),
  );
  return element(
    "details",
    { class: "operation", id, open: location.hash === `#${id}` },
    heading,
    element("p", {}, words(operation.description)),
    element("h3", {}, "Try it out"),
    form(entry, page),
    schema ? [element("h3", {}, "Body"), ...fields(schema)] : "",
    element("h3", {}, "Responses"),
    responses(operation),
  );
}

async function show() {
  const main = document.getElementById("docs");
  const source = await (await fetch(DOCUMENT_URL)).json();
  const api = resolved(source, source);
  const base = new URL(api.servers[0].url, DOCUMENT_URL);
  const key = element("input", { type: "password", id: "key", autocomplete: "off", placeholder: "sk-…" });
  const entries = Object.entries(api.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method]).map((method) => ({
      path,
      method,
      operation: methods[method],
    })),
  );
  const tags = [...new Set(entries.flatMap(({ operation }) => operation.tags))];
  main.append(
    element("h1", {}, api.info.title, " ", element("small", {}, api.info.version)),
    element(
      "p",
      {},
      words(api.info.description),
      " ",
      element("a", { href: DOCUMENT_URL.href }, "openapi.json"),
    ),
    element("label", { class: "key" }, "API key, kept until this page is closed", key),
    ...tags.flatMap((tag) => [
      element("h2", {}, tag),
      ...entries
        .filter(({ operation }) => operation.tags.includes(tag))
        .map((entry) => section(entry, { base, key })),
    ]),
  );
}

void show();
