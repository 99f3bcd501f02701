import type {
  ChatRequest,
  CompletionRequest,
  EmbedRequest,
  EmbedResult,
  JsonObject,
} from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { forgetSource, sourceOf } from "../json/source.ts";
import { asksForNothing } from "../dialects/openai/neutral.ts";
import { asChat } from "../dialects/openai/completions/request.ts";
import { sanitizeUsage } from "../answer/sanitize-usage.ts";
import type { DispatchContext } from "../attempts/dispatch-context.ts";
import type { Gateway } from "../gateway.ts";
import type { CacheState } from "../ledger/ledger.ts";
import type { EncodedForms } from "../cache/response-cache.ts";
import type { AnsweredBy, UpstreamAnswer } from "../attempts/answer.ts";
import { estimateRequest } from "../usage/token-estimate.ts";
import type { UpstreamCall } from "../attempts/attempt.ts";
import { attempt } from "../attempts/attempt.ts";
import { UNARY } from "../attempts/deadlines.ts";
import { AttemptContext } from "../attempts/attempt-context.ts";
import { outputBounds } from "./output-bounds.ts";
import type { Plan } from "./route.ts";
import type { Attempt } from "../attempts/attempt.ts";
import { failOver } from "./failover.ts";
import { settling } from "./upstream-permit.ts";

/** What an upstream has begun to answer, or has answered before. */
export interface Answer extends Answered, UpstreamAnswer {}

/** Who answered, and on whose account. */
export interface Answered extends AnsweredBy {
  readonly cache: CacheState;
  /** How old a cached answer is, in whole seconds. */
  readonly age?: number;
  /** Where the bytes of a cached answer are kept. */
  readonly encoded?: EncodedForms;
  /** Whether it is this request that pays for the upstream's work, now; of those who share an answer one does. */
  pays(): boolean;
}

interface DispatchDeps {
  readonly call: DispatchContext;
  readonly gateway: Gateway;
}

/**
 * Step 7: asks the plan's targets until one commits to an answer.
 * Leaves with the failure that says most of why none did.
 */
export function dispatchChat(plan: Plan, request: ChatRequest, around: DispatchDeps): Promise<Answer> {
  const question = { ...formOf(request), ask: askChat(request) };
  return dispatch(plan, { question, request }, around);
}

/** The same for a text to be continued; upstreams or models that only hold conversations are asked in one. */
export function dispatchCompletion(
  plan: Plan,
  request: CompletionRequest,
  around: DispatchDeps,
): Promise<Answer> {
  const question = { ...formOf(request), ask: askCompletion(request) };
  return dispatch(plan, { question, request }, around);
}

function formOf({ stream, n }: Pick<ChatRequest, "stream" | "n">): Pick<UpstreamCall, "stream" | "choices"> {
  return { stream: stream === true, choices: n ?? 1 };
}

function askChat(request: ChatRequest): UpstreamCall["ask"] {
  return (upstream, model, call) => upstream.chat(withModel(request, model), call);
}

function askCompletion(request: CompletionRequest): UpstreamCall["ask"] {
  return async (upstream, model, call) => {
    const asked = withModel(request, model);
    if (!upstream.complete) return upstream.chat(asChat(asked), call);
    try {
      return await upstream.complete(asked, call);
    } catch (error) {
      // A server may have the endpoint for some of its models only.
      if (!UpstreamError.is(error) || error.code !== "unsupported") throw error;
      return upstream.chat(asChat(asked), call);
    }
  };
}

function withModel<T extends ChatRequest | CompletionRequest>(request: T, model: string): T {
  return request.model === model ? request : { ...request, model };
}

interface DispatchedRequest {
  readonly question: UpstreamCall;
  readonly request: ChatRequest | CompletionRequest;
}

function dispatch(
  plan: Plan,
  { question, request }: DispatchedRequest,
  { call, gateway }: DispatchDeps,
): Promise<Answer> {
  const needed = () => estimateRequest(request, outputBounds(plan, gateway));
  const body = () => bodyOf(request);
  return failOver(plan, { call, gateway, needed, body }, async (attempted) => {
    const { events, ignored } = await attempt(question, attempted, { call, redact: gateway.redact });
    // From here on nobody else is asked.
    forgetSource(request);
    const { slot } = attempted;
    return {
      ...answeredBy(attempted),
      ignored: named(ignored, request),
      events: slot && slot.reserved > 0 ? settling(events, slot, needed()) : events,
    };
  });
}

/** The parameters that an upstream ignored, of those that ask for something. */
function named(ignored: readonly string[], request: JsonObject): readonly string[] {
  return ignored.length === 0 ? ignored : ignored.filter((name) => !asksForNothing(request, name));
}

/** What a call of one's own, made for nobody else, has to say of itself. */
function answeredBy({ target, number }: Pick<Attempt, "target" | "number">): Omit<Answered, "ignored"> {
  const { upstream, model } = target;
  return {
    upstream: upstream.id,
    upstreamModel: model,
    attempts: number,
    cache: "bypass",
    pays: alwaysPays,
  };
}

function alwaysPays(): boolean {
  return true;
}

/** Vectors, and who made them. */
export interface EmbedAnswer extends Answered {
  readonly result: EmbedResult;
}

/** Step 7 for embeddings, which have no beginning: they come whole or not at all. */
export function dispatchEmbed(
  plan: Plan,
  request: EmbedRequest,
  { call, gateway }: DispatchDeps,
): Promise<EmbedAnswer> {
  const needed = () => estimateRequest(request, outputBounds(plan, gateway));
  const body = () => bodyOf(request);
  return failOver(plan, { call, gateway, needed, body }, async ({ target, number, visit, slot }) => {
    const lent = new AttemptContext({ target, number, visit, call, redact: gateway.redact, course: UNARY });
    const { id, upstream } = target.upstream;
    try {
      if (!upstream.embed) throw noEmbeddings(id);
      const result = await lent.orAborted(upstream.embed({ ...request, model: target.model }, lent));
      checkVectors(result, request);
      lent.ended();
      slot?.settle(sanitizeUsage(result.usage ?? {}).input ?? slot.reserved);
      return { ...answeredBy({ target, number }), result, ignored: named(lent.ignoredNames, request) };
    } catch (error) {
      const failure = lent.explain(error);
      lent.ended(failure);
      throw failure;
    }
  });
}

/** Equal for requests that ask the same. */
function bodyOf(request: JsonObject): number | bigint {
  return Bun.hash(sourceOf(request)?.bytes ?? JSON.stringify(request));
}

function noEmbeddings(id: string): UpstreamError {
  return new UpstreamError("unsupported", `the upstream "${id}" makes no embeddings`, { param: "model" });
}

/** A vector of another length than was asked for would break a store of vectors far away. */
function checkVectors({ vectors }: EmbedResult, request: EmbedRequest): void {
  const { input, dimensions, encoding_format: own } = request;
  if (vectors.length !== input.length)
    throw badVectors(`${vectors.length} embeddings for ${input.length} inputs`);
  // An encoding of the upstream's own may be a text, and may hold several dimensions in one number.
  const all = own === undefined ? vectors : vectors.filter((vector) => typeof vector !== "string");
  for (const [index, vector] of all.entries()) {
    if (!(Array.isArray(vector) || vector instanceof Float32Array) || vector.length === 0)
      throw badVectors(`an embedding of input ${index} that is no list of numbers`);
    if (own === undefined && typeof dimensions === "number" && vector.length !== dimensions)
      throw badVectors(
        `embeddings of ${vector.length} numbers where \`dimensions\` asks for ${dimensions}; leave it out`,
      );
  }
}

function badVectors(what: string): UpstreamError {
  return new UpstreamError("bad-response", `the upstream gave ${what}`);
}
