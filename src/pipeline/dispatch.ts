import { sanitizeUsage } from "../answer/sanitize-usage.ts";
import type { Answer } from "../attempts/answer.ts";
import type { Attempt } from "../attempts/attempt.ts";
import { attempt, unaryAttempt } from "../attempts/attempt.ts";
import type { Batches, EmbedResult } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import type { GenerateRequest, ModelRequest, VectorRequest } from "../dialects/model-request.ts";
import type { Ticket } from "./admission/admit.ts";
import { FailoverLoop } from "./failover.ts";
import type { Lookup } from "./lookup.ts";
import type { VectorLookup } from "./vector-lookup.ts";
import { settling } from "../attempts/upstream-permit.ts";

/**
 * Asks the targets of a request until one commits to an answer; what others may join or have again later is asked for
 * through the cache. Leaves with the failure that says most of why no target answered.
 */
export function dispatched(ticket: Ticket<GenerateRequest>, found: Lookup | undefined): Promise<Answer> {
  if (!found) return new GenerateLoop(ticket.plan, ticket).run();
  const { sharedKey, cache } = found;
  const state = sharedKey === undefined ? "bypass" : "miss";
  if (sharedKey !== undefined) ticket.note({ cache: state });
  const call = cache.coalescer.start(sharedKey, {
    // Of the request that began it, so that what is logged of the call can be found by it.
    id: ticket.id,
    headers: ticket.headers,
    log: ticket.log,
    ask: (own) => new GenerateLoop(ticket.plan, own).run(),
    complete: (answered, events) => found.keep(answered, events),
  });
  return call.subscribe(ticket, state);
}

/** Asks the targets of a request for vectors, which come whole or not at all; leaves with what `dispatched` does. */
export async function dispatchVectors({ ticket, asked, state }: VectorLookup): Promise<Answer<EmbedResult>> {
  ticket.note({ cache: state });
  return { ...(await new VectorLoop(ticket.plan, ticket, asked).run()), cache: state };
}

class GenerateLoop extends FailoverLoop<GenerateRequest, Batches> {
  protected override async attempt(attempted: Attempt): Promise<Answer> {
    const { call, gateway, request } = this;
    const { events, ignored } = await attempt(request, attempted, { call, redact: gateway.redact });
    // From here on no other upstream is asked.
    request.forgetBytes();
    const { limitPermit } = attempted;
    const content =
      limitPermit && limitPermit.reserved > 0 ? settling(events, limitPermit, this.needed()) : events;
    return answerOf(attempted, content, named(ignored, request));
  }
}

class VectorLoop extends FailoverLoop<VectorRequest, EmbedResult> {
  protected override async attempt(attempted: Attempt): Promise<Answer<EmbedResult>> {
    const { call, gateway, request } = this;
    const { target, limitPermit } = attempted;
    const { content, ignored } = await unaryAttempt(
      attempted,
      { call, redact: gateway.redact },
      async (upstream, context) => {
        if (!upstream.embed) throw noEmbeddings(target.upstream.id);
        const result = await context.orAborted(upstream.embed(request.forUpstream(target.model), context));
        checkVectors(result, request);
        return result;
      },
    );
    limitPermit?.settle(sanitizeUsage(content.usage ?? {}).input ?? limitPermit.reserved);
    return answerOf(attempted, content, named(ignored, request));
  }
}

/** The parameters that an upstream ignored, of those that ask for something, as the client calls them. */
export function named(ignored: readonly string[], request: ModelRequest): readonly string[] {
  if (ignored.length === 0) return ignored;
  const asked = ignored.filter((name) => request.asksFor(name));
  return [...new Set(asked.map((name) => request.clientName(name)))];
}

/** An answer that is shared with no other request. */
export function answerOf<Content>(
  { target, number }: Attempt,
  content: Content,
  ignored: readonly string[],
): Answer<Content> {
  return {
    upstream: target.upstream.id,
    upstreamModel: target.model,
    attempts: number,
    ignored,
    content,
    cache: "bypass",
    pays: alwaysPays,
  };
}

function alwaysPays(): boolean {
  return true;
}

function noEmbeddings(id: string): UpstreamError {
  return new UpstreamError("unsupported", `the upstream "${id}" makes no embeddings`, { param: "model" });
}

/** A vector of another length than was asked for would break a store of vectors far away. */
function checkVectors({ vectors }: EmbedResult, request: VectorRequest): void {
  const { inputs } = request;
  const [dimensions, own] = [request.member("dimensions"), request.member("encoding_format")];
  if (vectors.length !== inputs.length)
    throw badVectors(`${vectors.length} embeddings for ${inputs.length} inputs`);
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
