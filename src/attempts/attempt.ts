import type { Permit } from "../limits/rate-limiter.ts";
import type { AttemptPermit } from "../targets/attempt-permit.ts";
import type { Target } from "../targets/route-table.ts";
import type { Batches, Call, ChatStream, NativeDialect, Upstream } from "../contract/index.ts";
import { batchesOf } from "../answer/batches.ts";
import { AnswerGuard } from "../answer/answer-guard.ts";
import type { DispatchContext } from "./dispatch-context.ts";
import { STREAMING, UNARY } from "./deadlines.ts";
import { AttemptContext } from "./attempt-context.ts";

/** One attempt at a target. Its holder must end `permit`. */
export interface Attempt {
  readonly target: Target;
  /** Number of the request's upstream calls, this one included. */
  readonly number: number;
  readonly permit: AttemptPermit;
  /** The permit of the upstream's limits, if it has any. Released with `permit`. */
  readonly limitPermit: Permit | undefined;
}

/** A request to an upstream that answers in events. */
export interface UpstreamCall {
  readonly stream: boolean;
  /** The number of choices that were requested. */
  readonly choices: number;
  /** Whether an answer with fewer of them is incomplete. */
  readonly needsAllChoices: boolean;
  /** The client's API, if upstreams may speak it themselves. */
  readonly dialect: NativeDialect | undefined;
  ask(upstream: Upstream, model: string, call: Call): ChatStream | Promise<ChatStream>;
}

interface AttemptDeps {
  readonly call: DispatchContext;
  readonly redact: (text: string) => string;
  /** The client's API, for an answer that comes whole. */
  readonly dialect?: NativeDialect;
}

/** An answer that has begun. */
export interface BegunAnswer {
  /** Parameters that the upstream ignored, encoded for a header. */
  readonly ignored: readonly string[];
  /** Its events, in the batches in which they arrived. */
  readonly events: Batches;
}

/**
 * Makes one attempt at a target and resolves with the answer at its first event. The answer's events end only if the upstream
 * finished it, and throw otherwise. Rejects with an `UpstreamError`, or with the `GatewayError` that aborted the request.
 */
export async function attempt(
  request: UpstreamCall,
  { target, number, permit }: Attempt,
  { call, redact }: AttemptDeps,
): Promise<BegunAnswer> {
  const { choices, needsAllChoices: needsAll, dialect } = request;
  const { alwaysStreams } = target.upstream.upstream;
  const isNative = speaks(target, dialect);
  const profile = request.stream || alwaysStreams ? STREAMING : UNARY;
  const context = new AttemptContext({ target, number, permit, profile, call, redact, isNative });
  try {
    const opening = request.ask(target.upstream.upstream, target.model, context);
    const stream = isPromise(opening) ? await opened(opening, context) : opening;
    const answer = new AnswerGuard(batchesOf(stream), { choices, needsAll, mayBeNative: isNative }, context);
    context.waitsIn(answer);
    const beginning = answer.begin();
    if (beginning) await beginning;
    context.committed(answer);
    return { ignored: context.ignoredNames, events: answer };
  } catch (error) {
    const failure = context.explain(error);
    context.ended(failure);
    throw failure;
  }
}

/**
 * Makes one attempt at a target for an answer that comes whole. Rejects with an `UpstreamError`, or with the `GatewayError`
 * that aborted the request.
 */
export async function unaryAttempt<Content>(
  { target, number, permit }: Attempt,
  { call, redact, dialect }: AttemptDeps,
  ask: (upstream: Upstream, context: AttemptContext) => Promise<Content>,
): Promise<{ readonly content: Content; readonly ignored: readonly string[] }> {
  const isNative = speaks(target, dialect);
  const context = new AttemptContext({ target, number, permit, profile: UNARY, call, redact, isNative });
  try {
    const content = await ask(target.upstream.upstream, context);
    context.ended();
    return { content, ignored: context.ignoredNames };
  } catch (error) {
    const failure = context.explain(error);
    context.ended(failure);
    throw failure;
  }
}

function speaks({ upstream }: Target, dialect: NativeDialect | undefined): boolean {
  return dialect !== undefined && upstream.upstream.native?.[dialect] !== undefined;
}

/** Returns whether a value can be awaited; plugins may return any thenable. */
function isPromise<T extends object>(value: T | Promise<T>): value is Promise<T> {
  return value instanceof Promise || "then" in value;
}

async function opened(opening: Promise<ChatStream>, context: AttemptContext): Promise<ChatStream> {
  try {
    return await context.orAborted(opening);
  } catch (error) {
    // A stream that arrives after the abort is closed at once.
    opening.then(leave).then(undefined, () => undefined);
    throw error;
  }
}

function leave(stream: ChatStream): Promise<unknown> | undefined {
  return batchesOf(stream).return?.();
}
