import { version } from "../../package.json";
import { ChatRequestSchema } from "../dialects/openai/chat/request.ts";
import { CompletionsRequestSchema } from "../dialects/openai/completions/request.ts";
import { EmbeddingsRequestSchema } from "../dialects/openai/embeddings/request.ts";
import { ERROR_CODES } from "../errors/gateway-error.ts";

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
        code: { type: "string", enum: Object.keys(ERROR_CODES) },
      },
    },
  },
};

/** One response an HTTP status, with the codes it may carry. */
function refusals(statuses: readonly number[]): Record<string, object> {
  const codes = (status: number) =>
    Object.entries(ERROR_CODES)
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
    capabilities: {
      type: "object",
      description: "What it can do, as far as its upstreams say; lengths in tokens",
      properties: {
        tools: { type: "boolean" },
        vision: { type: "boolean" },
        json_schema: { type: "boolean" },
        reasoning: { type: "boolean" },
        context: { type: "integer" },
        output: { type: "integer" },
      },
    },
  },
};

const EMBEDDINGS = {
  type: "object",
  properties: {
    object: { const: "list" },
    data: {
      type: "array",
      items: {
        type: "object",
        properties: {
          object: { const: "embedding" },
          index: { type: "integer" },
          embedding: { oneOf: [{ type: "array", items: { type: "number" } }, { type: "string" }] },
        },
      },
    },
    model: { type: "string" },
    usage: {
      type: "object",
      properties: { prompt_tokens: { type: "integer" }, total_tokens: { type: "integer" } },
    },
  },
};

const STATUS = { type: "object", properties: { status: { type: "string" } } };

const API = "API";
const PROBES = "Probes";

/** An endpoint that takes a request for a model. */
function asking(summary: string, { description, schema, example, answer }: Asking): object {
  return {
    post: {
      tags: [API],
      summary,
      description: `${description} Fields that are not listed here travel on to the upstream; those it can't honour are named in \`x-modelyard-ignored\` or refused.`,
      requestBody: { required: true, content: { "application/json": { schema, example } } },
      responses: { 200: answer, ...refusals([400, 401, 403, 404, 408, 413, 415, 429, 500, 502, 503, 504]) },
    },
  };
}

interface Asking {
  readonly description: string;
  readonly schema: object;
  /** What the documents' "Try it out" begins with. */
  readonly example: object;
  readonly answer: object;
}

const ANSWER = {
  description:
    "The answer: one JSON object, or with `stream: true` server-sent events that end with `data: [DONE]`, or with an error object where the answer broke off.",
  content: {
    "application/json": { schema: { type: "object" } },
    "text/event-stream": { schema: { type: "string" } },
  },
};

/** The interface in OpenAPI 3.1, for people and programs. */
export const DOCUMENT = {
  openapi: "3.1.0",
  info: {
    title: "Modelyard",
    version,
    description: "One OpenAI-compatible API in front of many AI upstreams.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  // Relative to this document's own address: the gateway may lie below a path that a proxy strips.
  servers: [{ url: "." }],
  security: [{ bearer: [] }, { header: [] }],
  paths: {
    "/v1/chat/completions": asking("Answer a conversation", {
      description: "OpenAI's chat completions.",
      schema: ChatRequestSchema,
      example: { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello!" }], stream: false },
      answer: ANSWER,
    }),
    "/v1/completions": asking("Continue a text", {
      description:
        "OpenAI's legacy completions. Where the upstream only holds conversations, the prompt is what the user says.",
      schema: CompletionsRequestSchema,
      example: { model: "gpt-4o-mini", prompt: "Once upon a time" },
      answer: ANSWER,
    }),
    "/v1/embeddings": asking("Turn texts into vectors", {
      description:
        "OpenAI's embeddings. The vectors are written as `encoding_format` says, whatever the upstream gives.",
      schema: EmbeddingsRequestSchema,
      example: { model: "text-embedding-3-small", input: ["Hello!"] },
      answer: json("One vector for each input, in their order", EMBEDDINGS),
    }),
    "/v1/models": {
      get: {
        tags: [API],
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
        tags: [API],
        summary: "Show one model",
        parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
        responses: { 200: json("The model", MODEL), ...refusals([401, 403, 404]) },
      },
    },
    "/dashboard/billing/subscription": {
      get: {
        tags: [API],
        summary: "What the key may spend, as NextChat shows it",
        responses: {
          200: json("The budget", { type: "object", properties: { hard_limit_usd: { type: "number" } } }),
          ...refusals([401, 403]),
        },
      },
    },
    "/dashboard/billing/usage": {
      get: {
        tags: [API],
        summary: "What the key has spent, as NextChat shows it",
        parameters: ["start_date", "end_date"].map((name) => ({
          name,
          in: "query",
          description: name === "end_date" ? "The day after the last" : "The first day",
          schema: { type: "string", format: "date" },
        })),
        responses: {
          200: json("US cents", { type: "object", properties: { total_usage: { type: "number" } } }),
          ...refusals([401, 403]),
        },
      },
    },
    "/metrics": {
      get: {
        tags: [PROBES],
        summary: "Counters and states for Prometheus",
        security: [],
        responses: {
          200: {
            description: "Text format 0.0.4",
            content: { "text/plain": { schema: { type: "string" } } },
          },
        },
      },
    },
    "/health": {
      get: {
        tags: [PROBES],
        summary: "State and version; no upstream is asked",
        security: [],
        responses: { 200: json("Serving", STATUS), 503: json("Shutting down", STATUS) },
      },
    },
    "/health/live": {
      get: {
        tags: [PROBES],
        summary: "The process answers",
        security: [],
        responses: { 200: json("Alive", STATUS) },
      },
    },
    "/health/ready": {
      get: {
        tags: [PROBES],
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
