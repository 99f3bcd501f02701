import type {
  Call,
  ChatRequest,
  ChatStream,
  EmbedRequest,
  EmbedResult,
  Json,
  JsonObject,
  NativeDialect,
  Upstream,
} from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import type { CountedUsage } from "../answer/answer-event.ts";
import type { RequestMembers } from "../json/request-members.ts";
import { forgetSource, sourceOf } from "../json/source.ts";
import { asksForNothing } from "./neutral.ts";

/** A body that names a model. */
export interface ModelBody extends JsonObject {
  readonly model: string;
}

/** A request for a model, checked by its dialect. */
export abstract class ModelRequest<Body extends ModelBody = ModelBody> implements RequestMembers {
  /** The body as its client wrote it, or what means the same. */
  protected readonly body: Body;

  constructor(body: Body) {
    this.body = body;
  }

  /** The model as the client named it. */
  get model(): string {
    return this.body.model;
  }

  member(name: string): Json | undefined {
    return this.body[name];
  }

  names(): string[] {
    return Object.keys(this.body);
  }

  get bytes(): Uint8Array | undefined {
    return sourceOf(this.body)?.bytes;
  }

  get isAscii(): boolean {
    return sourceOf(this.body)?.ascii === true;
  }

  /** Whether its answer takes of a key's tokens and budget. */
  get usesTokens(): boolean {
    return true;
  }

  /** Whether a member asks for something else than what is done without it. */
  asksFor(name: string): boolean {
    return !asksForNothing(this, name);
  }

  /** Returns what the client calls a member that the upstream names, as `stop` or `messages[].name`. */
  clientName(member: string): string {
    return member;
  }

  /** Throws a GatewayError if none of the upstreams can be asked. */
  expectAskable(_upstreams: readonly Upstream[]): void {}

  /** Lets go of the bytes: no other upstream will be asked. */
  forgetBytes(): void {
    forgetSource(this.body);
  }

  /** Returns a value that is equal for requests that ask the same. */
  hash(): number | bigint {
    return Bun.hash(this.bytes ?? JSON.stringify(this.body));
  }

  /** Returns the body with an upstream's own name for the model. */
  protected bodyFor(model: string): Body {
    return this.model === model ? this.body : { ...this.body, model };
  }
}

/** How an answer in words is to be delivered. */
export interface Delivery {
  readonly stream: boolean;
  /** Whether the answer ends with its usage. */
  readonly includeUsage: boolean;
}

/** A request whose answer is words. */
export abstract class GenerateRequest<Body extends ModelBody = ModelBody> extends ModelRequest<Body> {
  readonly stream: boolean;
  readonly includeUsage: boolean;

  constructor(body: Body, { stream, includeUsage }: Delivery) {
    super(body);
    this.stream = stream;
    this.includeUsage = includeUsage;
  }

  /** How many answers are expected. */
  get choices(): number {
    const count = this.member("n");
    return typeof count === "number" ? count : 1;
  }

  /** Whether it refers to what was said before, or its answer is to be referred to: then no two answers are alike. */
  get keepsState(): boolean {
    return false;
  }

  /** The client's API, if upstreams may speak it themselves. */
  get dialect(): NativeDialect | undefined {
    return undefined;
  }

  /** Whether an answer with fewer of them is incomplete. */
  get needsAllChoices(): boolean {
    return false;
  }

  /** Asks an upstream, in the form that it and the dialect have in common. */
  abstract ask(upstream: Upstream, model: string, call: Call): ChatStream | Promise<ChatStream>;
}

/** A conversation, as every upstream takes it. */
export class ConversationRequest extends GenerateRequest<ChatRequest> {
  ask(upstream: Upstream, model: string, call: Call): ChatStream | Promise<ChatStream> {
    return upstream.chat(this.bodyFor(model), call);
  }
}

/** Asks an upstream in the first way, and in the second where the first is `unsupported`. */
export async function unlessUnsupported(
  first: () => ChatStream | Promise<ChatStream>,
  second: () => ChatStream | Promise<ChatStream>,
): Promise<ChatStream> {
  try {
    return await first();
  } catch (error) {
    if (!UpstreamError.is(error) || error.code !== "unsupported") throw error;
    return second();
  }
}

/** A request for vectors. */
export abstract class VectorRequest extends ModelRequest<EmbedRequest> {
  get inputs(): EmbedRequest["input"] {
    return this.body.input;
  }

  /** Returns the same request for other inputs. */
  abstract withInputs(inputs: EmbedRequest["input"]): VectorRequest;

  /** Returns the body with an upstream's own name for the model. */
  forUpstream(model: string): EmbedRequest {
    return { ...this.body, model };
  }

  /** Returns the answer's body. */
  abstract answer(result: EmbedResult, usage: CountedUsage): JsonObject;
}
