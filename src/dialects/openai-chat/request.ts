import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { ValueError } from "@sinclair/typebox/errors";
import { ValueErrorType } from "@sinclair/typebox/errors";
import type { ChatRequest } from "../../contract/index.ts";
import { RequestError } from "../request-error.ts";

const Nullable = <T extends Parameters<typeof Type.Optional>[0]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]));

/** The longest model name worth looking up. */
const MAX_MODEL_LENGTH = 256;

/**
 * As much of OpenAI's request as the core has to rely on; all else is the upstream's to judge.
 * https://platform.openai.com/docs/api-reference/chat/create
 */
export const ChatRequestSchema = Type.Object({
  model: Type.String({
    minLength: 1,
    maxLength: MAX_MODEL_LENGTH,
    description: "One of the ids of GET /v1/models, or upstream/model",
  }),
  messages: Type.Array(
    Type.Object({
      role: Type.String({ minLength: 1, description: "system, developer, user, assistant or tool" }),
      content: Nullable(Type.Union([Type.String(), Type.Array(Type.Object({ type: Type.String() }))])),
    }),
    { minItems: 1, description: "The conversation so far" },
  ),
  stream: Nullable(Type.Boolean({ description: "Server-sent events instead of one JSON answer" })),
  stream_options: Nullable(
    Type.Object({
      include_usage: Nullable(Type.Boolean({ description: "One more chunk, with the usage, before [DONE]" })),
    }),
  ),
  n: Nullable(Type.Integer({ minimum: 1, maximum: 128, description: "How many answers" })),
});

const compiled = TypeCompiler.Compile(ChatRequestSchema);

/** The client's body, checked; throws a RequestError that names the field at fault. */
export function parseChatRequest(body: unknown): ChatRequest {
  if (compiled.Check(body)) return body as ChatRequest;
  throw explain(body);
}

/** Whether a streamed answer is to end with a chunk that tells the usage. */
export function wantsUsage(request: ChatRequest): boolean {
  const options = request["stream_options"] as { include_usage?: boolean | null } | null | undefined;
  return options?.include_usage === true;
}

function explain(body: unknown): RequestError {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return new RequestError("invalid_value", `the body must be a JSON object, and is ${kind(body)}`);
  }
  // Some clients (Cursor with an own base URL) send a Responses body to this address.
  if (!("messages" in body) && "input" in body) {
    const message = "this is a body for the Responses API (`input`); /v1/chat/completions takes `messages`";
    return new RequestError("missing_required_parameter", message, { param: "messages" });
  }
  const error = deepest(compiled.Errors(body).First());
  const param = error ? fieldName(error.path) : undefined;
  if (error?.type === ValueErrorType.ObjectRequiredProperty) {
    return new RequestError("missing_required_parameter", `missing required parameter: ${param}`, { param });
  }
  const found = error ? `, found ${kind(error.value)}` : "";
  return new RequestError("invalid_value", `${param}: ${wanted(error)}${found}`, { param });
}

/** Of a union's errors the one that got furthest: it says most about what was meant. */
function deepest(error: ValueError | undefined): ValueError | undefined {
  if (error?.type !== ValueErrorType.Union) return error;
  const inner = error.errors.flatMap((errors) => [...errors]).map((nested) => deepest(nested) ?? nested);
  const furthest = inner.filter(({ path }) => path.length > error.path.length);
  return furthest[0] ?? error;
}

function wanted(error: ValueError | undefined): string {
  if (!error) return "invalid";
  if (error.type !== ValueErrorType.Union) return error.message.replace(/^Expected/, "expected");
  if (error.path.endsWith("/content")) return "expected a string, a list of parts or null";
  const { anyOf = [] } = error.schema as { anyOf?: { type: string }[] };
  return `expected ${anyOf.map((schema) => schema.type).join(" or ")}`;
}

/** `/messages/0/role` as clients know it: `messages[0].role`. */
function fieldName(path: string): string {
  return path
    .slice(1)
    .replace(/\/(\d+)(?=\/|$)/g, "[$1]")
    .replaceAll("/", ".");
}

function kind(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
