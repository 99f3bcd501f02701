import { TypeCompiler } from "@sinclair/typebox/compiler";
import type {
  Call,
  ChatRequest,
  ChatStream,
  Json,
  JsonObject,
  Upstream,
} from "../../../../contract/index.ts";
import { UpstreamError } from "../../../../contract/index.ts";
import { isObject } from "../../../../contract/json.ts";
import { GatewayError } from "../../../../errors/gateway-error.ts";
import { messagesFor } from "../../../fitting/messages-for.ts";
import { Refusals } from "../../../fitting/refusals.ts";
import { explain } from "../../../explain.ts";
import type { ClientState, KeptTexts } from "../../../kept-texts.ts";
import type { ModelBody } from "../../../model-request.ts";
import { NativeConversation } from "../../../native-conversation.ts";
import type { ReasoningForm } from "../answer/reasoning-item.ts";
import type { ResolvedInput } from "./input.ts";
import { placed, resolveInput } from "./input.ts";
import type { KeptResponse } from "./kept.ts";
import { keptText, stemOf } from "./kept.ts";
import { Messages } from "./messages.ts";
import type { Impossible } from "./parts.ts";
import { unwrapReasoning } from "../reasoning.ts";
import type { ResponsesBody } from "./schema.ts";
import { ResponsesRequestSchema } from "./schema.ts";
import { Tools } from "./tools.ts";

const compiled = TypeCompiler.Compile(ResponsesRequestSchema);

/** Checks a body; throws a GatewayError that names the member at fault. */
export function parseResponsesRequest(body: unknown, client: ClientState): ResponsesRequest {
  return new ResponsesRequest(checkedBody(body), client);
}

/** Returns a body that fits the schema; throws a GatewayError that names the member at fault. */
export function checkedBody(body: unknown): ResponsesBody {
  if (isObject(body)) refuseMistaken(body);
  if (!compiled.Check(body)) throw explain(compiled, body);
  return body;
}

function refuseMistaken(body: JsonObject): void {
  const { input, messages } = body;
  if (messages !== undefined && input === undefined) {
    const message = "this is a conversation (`messages`), which belongs to /v1/chat/completions";
    throw new GatewayError("missing_required_parameter", message, { param: "input" });
  }
  const isMissing = (name: string) => body[name] === undefined || body[name] === null;
  if (["input", "previous_response_id", "prompt", "conversation"].every(isMissing)) {
    throw new GatewayError("missing_required_parameter", "missing required parameter: input", {
      param: "input",
    });
  }
}

/** What no conversation can express, and the values with which each asks for nothing. */
const NOT_IN_CHAT: Readonly<Record<string, readonly unknown[]>> = {
  background: [false],
  prompt: [],
  conversation: [],
  max_tool_calls: [],
};

/** The members that become others, or say how the answer is delivered and kept; all others go on as they are. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set([
  ...Object.keys(NOT_IN_CHAT),
  "model",
  "input",
  "instructions",
  "previous_response_id",
  "tools",
  "tool_choice",
  "text",
  "reasoning",
  "include",
  "max_output_tokens",
  "top_logprobs",
  "truncation",
  "store",
  "metadata",
  "stream",
  "stream_options",
  "client_metadata",
  // Of these names chat completions have members that mean something else.
  "messages",
  "n",
  "best_of",
  "max_tokens",
  "max_completion_tokens",
  "response_format",
  "logprobs",
  "functions",
  "function_call",
]);

/** What is learnt of upstreams holds for all requests. */
const refusals = new Refusals();

/** The names that clients of this API know for members of a chat request. */
const CLIENT_NAMES: ReadonlyMap<string, string> = new Map([
  ["max_tokens", "max_output_tokens"],
  ["max_completion_tokens", "max_output_tokens"],
  ["reasoning_effort", "reasoning.effort"],
  ["response_format", "text.format"],
  ["verbosity", "text.verbosity"],
  ["messages[].reasoning_details", "input[].reasoning"],
  ["messages[].reasoning_content", "input[].reasoning"],
]);

const LOGPROBS = "message.output_text.logprobs";
const ENCRYPTED = "reasoning.encrypted_content";

/** What of a finished answer is kept. */
export type Keepsake = Pick<KeptResponse, "output" | "response">;

/** A request of the Responses API. */
export class ResponsesRequest extends NativeConversation {
  readonly dialect = "openai-responses";
  /** The body as its client wrote it. */
  readonly asked: JsonObject;
  readonly tools: Tools;
  readonly #kept: KeptTexts | undefined;
  readonly #input: ResolvedInput;
  /** What of the request has no place in a conversation; known once that has been made. */
  readonly #leftOut = new Set<string>();
  #impossible: Impossible | undefined;

  constructor(body: ResponsesBody, client: ClientState) {
    const asked = body as ModelBody;
    const input = resolveInput(asked, client);
    super(withInput(asked, input), { stream: body.stream === true, includeUsage: true });
    this.asked = asked;
    this.tools = new Tools(body.tools);
    this.#kept = body.store === false ? undefined : client.kept;
    this.#input = input;
  }

  /** Whether the answer is to be kept. */
  get isKept(): boolean {
    return this.#kept !== undefined;
  }

  /** In which form the client is told what the model thinks. */
  get reasoning(): ReasoningForm {
    const { reasoning } = this.asked;
    const summary = isObject(reasoning) ? reasoning["summary"] : undefined;
    const isSummary = typeof summary === "string" && summary !== "none";
    return { kind: isSummary ? "summary" : "text", hasEncrypted: this.#includes(ENCRYPTED) };
  }

  override get keepsState(): boolean {
    const { hasReferences } = this.#input;
    const isAnswerKept = this.asked["store"] !== false;
    return isAnswerKept || hasReferences || this.tools.hosted.size > 0 || this.#hasAny(STATE);
  }

  override clientName(member: string): string {
    const item = member.replace("[].tool_calls[]", "[]").replace(/^messages\b/, "input");
    return CLIENT_NAMES.get(member) ?? item;
  }

  #hasAny(names: readonly string[]): boolean {
    return names.some((name) => this.asked[name] !== undefined && this.asked[name] !== null);
  }

  #includes(name: string): boolean {
    const { include } = this.asked;
    return Array.isArray(include) && include.includes(name);
  }

  /** Keeps a finished answer if that is asked for; returns whether it did. */
  keep(id: string, { output, response }: Keepsake): boolean {
    const stem = stemOf(id);
    if (!this.#kept || stem === undefined) return false;
    const { previous_response_id: asked } = this.asked;
    const previous = typeof asked === "string" ? asked : null;
    return this.#kept.keep(stem, keptText({ previous, input: this.#input.own, output, response }));
  }

  protected toChat(): ChatRequest {
    const { instructions, max_output_tokens: longest, stream } = this.asked;
    const messages = new Messages(this.tools);
    if (typeof instructions === "string" && instructions !== "") messages.instruct(instructions);
    for (const item of placed(this.#input)) messages.add(item);
    messages.end();
    for (const name of messages.leftOut) this.#leftOut.add(name);
    this.#impossible = messages.impossible;
    const others = Object.entries(this.asked).filter(([name]) => !NOT_PASSED_ON.has(name));
    const choice = this.#choice();
    return {
      ...Object.fromEntries(others),
      model: this.model,
      messages: messages.list,
      ...choice,
      // Chat completions refuse it without tools.
      ...(choice?.["tools"] === undefined && { parallel_tool_calls: undefined }),
      ...this.#form(),
      ...(typeof longest === "number" && { max_tokens: longest }),
      ...(stream === true && { stream }),
    };
  }

  #choice(): JsonObject | undefined {
    return this.tools.choose(this.asked["tool_choice"] as ResponsesBody["tool_choice"]);
  }

  #form(): JsonObject {
    const { text, reasoning, top_logprobs: alternatives } = this.asked as ResponsesBody & JsonObject;
    const { include, truncation } = this.asked;
    if (Array.isArray(include) && !include.every((name) => name === ENCRYPTED || name === LOGPROBS)) {
      this.#leftOut.add("include");
    }
    for (const type of this.tools.hosted) this.#leftOut.add(`tools[].${type}`);
    if (this.tools.hasGrammar) this.#leftOut.add("tools[].custom.format");
    if (truncation === "auto") this.#leftOut.add("truncation");
    const format = formatOf(text?.format);
    const hasLogprobs = this.#includes(LOGPROBS) || (typeof alternatives === "number" && alternatives > 0);
    return {
      ...(format && { response_format: format }),
      ...(typeof text?.verbosity === "string" && { verbosity: text.verbosity }),
      ...(typeof reasoning?.effort === "string" && { reasoning_effort: reasoning.effort }),
      ...(hasLogprobs && { logprobs: true }),
      ...(typeof alternatives === "number" && alternatives > 0 && { top_logprobs: alternatives }),
    };
  }

  protected async askChat(upstream: Upstream, chat: ChatRequest, call: Call): Promise<ChatStream> {
    const { missing } = this.#input;
    if (missing) {
      const { code, param, message } = missing;
      throw new UpstreamError("bad-request", message, { param, upstreamCode: code });
    }
    const impossible = this.#impossible ?? this.#notInChat();
    if (impossible) {
      const { param, why } = impossible;
      throw new UpstreamError("unsupported", `${param}: ${why}`, { param });
    }
    for (const name of this.#leftOut) call.ignored(name, "a conversation has no place for it");
    const messages = messagesFor(chat.messages, { extensions: new Set(upstream.extensions), call });
    return refusals.ask(upstream, { ...chat, messages }, call);
  }

  #notInChat(): Impossible | undefined {
    const param = Object.keys(NOT_IN_CHAT).find((name) => this.#asksFor(name));
    if (param !== undefined) return { param, why: "the upstream answers conversations only" };
    if (this.#choice() !== undefined) return undefined;
    return { param: "tool_choice", why: "the upstream doesn't have the tool that it demands" };
  }

  #asksFor(name: string): boolean {
    const value = this.asked[name];
    return value !== undefined && value !== null && !NOT_IN_CHAT[name]?.includes(value);
  }

  /** Without what only other upstreams can read: reasoning that this gateway has wrapped. */
  protected override bodyFor(model: string): ModelBody {
    const body = super.bodyFor(model);
    const { input } = body;
    if (!Array.isArray(input) || !input.some(isWrapped)) return body;
    return { ...body, input: input.filter((item) => !isWrapped(item)) };
  }
}

/** Members that say of an answer that it is another one each time. */
const STATE = ["previous_response_id", "conversation", "background"];

/** The body with what it refers to in place of the references, as far as that is kept here. */
function withInput(asked: ModelBody, { history, own, hasReferences, missing }: ResolvedInput): ModelBody {
  if (missing || (history.length === 0 && !hasReferences)) return asked;
  const { previous_response_id: _, ...others } = asked;
  return { ...others, model: asked.model, input: [...history, ...own] };
}

function isWrapped(item: Json): boolean {
  const encrypted = isObject(item) && item["type"] === "reasoning" ? item["encrypted_content"] : undefined;
  return typeof encrypted === "string" && unwrapReasoning(encrypted) !== undefined;
}

/** A schema stands beside its type in Responses, and in a member of its own in chat completions. */
function formatOf(format: JsonObject | null | undefined): JsonObject | undefined {
  if (!format || format["type"] === "text") return undefined;
  if (format["type"] !== "json_schema") return format;
  const { type, ...schema } = format;
  return { type, json_schema: schema };
}
