import { join } from "node:path";
import { version } from "../../package.json";
import { ChatRequestSchema } from "../dialects/openai-chat/request.ts";
import { REFUSALS } from "../dialects/request-error.ts";

/** The viewer's own files, from the installed package: nothing is loaded from elsewhere. */
const ASSETS: ReadonlyMap<string, string> = new Map([
  ["swagger-ui.css", "text/css; charset=utf-8"],
  ["swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
]);

const CONTENT_POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'";

const PAGE = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>Modelyard API</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
  <div id="docs"></div>
  <script src="/docs/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });\n`;

/** GET /docs: the API documents, to read and to try. */
export function docsPage(): Response {
  return new Response(PAGE, {
    headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": CONTENT_POLICY },
  });
}

/** GET /docs/*: what that page needs. */
export function docsAsset(http: Request): Response {
  const name = new URL(http.url).pathname.replace(/^.*\//, "");
  const type = ASSETS.get(name);
  if (name === "start.js")
    return new Response(START, { headers: { "content-type": "text/javascript; charset=utf-8" } });
  if (!type) return new Response("not found", { status: 404 });
  const folder = join(Bun.resolveSync("swagger-ui-dist/package.json", import.meta.dir), "..");
  return new Response(Bun.file(join(folder, name)), {
    headers: { "content-type": type, "cache-control": "max-age=86400" },
  });
}

/** GET /openapi.json: the same for programs (OpenAPI 3.1). */
export function openapiDocument(): Response {
  return Response.json(DOCUMENT);
}

const ERROR = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["message", "type", "param", "code"],
      properties: {
        message: { type: "string" },
        type: { type: "string" },
        param: { type: ["string", "null"], description: "The field at fault" },
        code: { type: "string", enum: Object.keys(REFUSALS) },
      },
    },
  },
};

/** One response an HTTP status, with the codes it may carry. */
function refusals(statuses: readonly number[]): Record<string, object> {
  const codes = (status: number) =>
    Object.entries(REFUSALS)
      .filter(([, refusal]) => refusal.status === status)
      .map(([code]) => `\`${code}\``);
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: codes(status).join(", "),
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    ]),
  );
}

function json(description: string, schema: object): object {
  return { description, content: { "application/json": { schema } } };
}

const MODEL = {
  type: "object",
  properties: {
    id: { type: "string" },
    object: { const: "model" },
    created: { type: "integer" },
    owned_by: { type: "string" },
  },
};

const STATUS = { type: "object", properties: { status: { type: "string" } } };

const DOCUMENT = {
  openapi: "3.1.0",
  info: {
    title: "Modelyard",
    version,
    description: "One OpenAI-compatible API in front of many AI upstreams.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  security: [{ bearer: [] }, { header: [] }],
  paths: {
    "/v1/chat/completions": {
      post: {
        summary: "Answer a conversation",
        description:
          "OpenAI's chat completions. Fields that are not listed here travel on to the upstream; those it can't honour are named in `x-modelyard-ignored` or refused.",
        requestBody: { required: true, content: { "application/json": { schema: ChatRequestSchema } } },
        responses: {
          200: {
            description:
              "The answer: one JSON object, or with `stream: true` server-sent events that end with `data: [DONE]`, or with an error object where the answer broke off.",
            content: {
              "application/json": { schema: { type: "object" } },
              "text/event-stream": { schema: { type: "string" } },
            },
          },
          ...refusals([400, 401, 403, 404, 408, 413, 415, 429, 500, 502, 503, 504]),
        },
      },
    },
    "/v1/models": {
      get: {
        summary: "List the models this key may use",
        responses: {
          200: json("The list", {
            type: "object",
            properties: { object: { const: "list" }, data: { type: "array", items: MODEL } },
          }),
          ...refusals([401, 403]),
        },
      },
    },
    "/v1/models/{id}": {
      get: {
        summary: "Show one model",
        parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
        responses: { 200: json("The model", MODEL), ...refusals([401, 403, 404]) },
      },
    },
    "/health": {
      get: {
        summary: "State and version; no upstream is asked",
        security: [],
        responses: { 200: json("Serving", STATUS), 503: json("Shutting down", STATUS) },
      },
    },
    "/health/live": {
      get: { summary: "The process answers", security: [], responses: { 200: json("Alive", STATUS) } },
    },
    "/health/ready": {
      get: {
        summary: "Requests may be sent here",
        security: [],
        responses: { 200: json("Ready", STATUS), 503: json("Shutting down", STATUS) },
      },
    },
  },
  components: {
    schemas: { Error: ERROR },
    securitySchemes: {
      bearer: { type: "http", scheme: "bearer" },
      header: { type: "apiKey", in: "header", name: "x-api-key" },
    },
  },
};
