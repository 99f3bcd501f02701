import type { AnswerBatches, AnswerEvent, CountedUsage } from "../answer/answer-event.ts";
import type { Capabilities, JsonObject, NativeEvent, Usage } from "../contract/index.ts";
import type { GatewayError } from "../errors/gateway-error.ts";
import type { Standing } from "../limits/rate-limiter.ts";
import type { ClientState } from "./kept-texts.ts";
import type { GenerateRequest, VectorRequest } from "./model-request.ts";
import type { NativeConversation } from "./native-conversation.ts";
import type { OperationDocument } from "./operation-document.ts";

/** One client API: its endpoints, and what they have in common. A folder of its own, and one line in `index.ts`. */
export interface Dialect {
  /** As `OpenAI`. */
  readonly name: string;
  readonly endpoints: readonly DialectEndpoint[];
  /** The request headers in which clients send their key, in the order in which they are tried. */
  readonly keyHeaders: readonly [string, ...string[]];
  /** The request header by which its clients are known at an address that several APIs have. */
  readonly marker?: string;
  /** The answer header, beside `x-request-id`, in which clients look for the request's id. */
  readonly requestIdHeader?: string;
  /** Its own answer headers, which browsers let a page read, as one text. */
  readonly exposedHeaders?: string;
  /** The request headers that upstreams are given, by their names in lower case. */
  readonly forwardedHeaders: readonly string[];
  /** The schema of an error's body, for openapi.json. */
  readonly errorSchema: object;
  /** Returns an error in the form that clients of this API read. `request` is the request's id. */
  error(error: GatewayError, request: string): ErrorReply;
  /** Adds the headers that say how much of a key's limits is left. */
  addLimitHeaders(standing: Standing, headers: Record<string, string>): void;
}

/** An error as a client reads it. */
export interface ErrorReply {
  readonly status: number;
  readonly body: JsonObject;
  /** Beside those that every error has. */
  readonly headers?: Readonly<Record<string, string>>;
}

export type DialectEndpoint =
  | GenerateEndpoint
  | CountEndpoint
  | EmbedEndpoint
  | ModelListEndpoint
  | ModelEndpoint
  | StateEndpoint;

interface EndpointBase {
  /** As `/v1/chat/completions`. A path that ends in `/*` stands for all paths below it. */
  readonly path: string;
  /** Its part of openapi.json. */
  readonly document: OperationDocument;
}

/** POST: a model answers in words. */
export interface GenerateEndpoint<Request extends GenerateRequest = GenerateRequest> extends EndpointBase {
  readonly kind: "generate";
  /** The frame that fills silence in a stream. */
  readonly comment: string;
  /** Checks a body; throws a GatewayError that names the member at fault. */
  parse(body: unknown, client: ClientState): Request;
  /**
   * Writes the streamed answer to a request that `parse` has returned. `usage` returns the tokens used so far, as far as
   * they are known, and an estimate of the others.
   */
  writer(request: Request, usage: () => Usage): FrameWriter;
  /** Collects the whole answer to a request that `parse` has returned. */
  collect(answer: AnswerBatches, request: Request): Promise<Collected>;
}

/** POST: how many tokens a request would take. */
export interface CountEndpoint extends EndpointBase {
  readonly kind: "count";
  /** Checks a body; throws a GatewayError that names the member at fault. */
  parse(body: unknown): NativeConversation;
  write(tokens: number): JsonObject;
}

/** POST: a model turns texts into vectors. */
export interface EmbedEndpoint extends EndpointBase {
  readonly kind: "embed";
  /** Checks a body; throws a GatewayError that names the member at fault. */
  parse(body: unknown): VectorRequest;
}

/** GET: the models that a key may use. */
export interface ModelListEndpoint extends EndpointBase {
  readonly kind: "models";
  /** Returns the list's body. `query` is that of the address. */
  write(models: readonly OfferedModel[], query: URLSearchParams): JsonObject;
}

/** GET: one model, whose id is the rest of the path. */
export interface ModelEndpoint extends EndpointBase {
  readonly kind: "model";
  write(model: OfferedModel): JsonObject;
}

/** What is kept of a key's earlier requests; no upstream is asked. */
export interface StateEndpoint extends EndpointBase {
  readonly kind: "state";
  readonly method: "GET" | "POST" | "DELETE";
  /** Answers a request by the rest of its path. Throws a GatewayError where there is nothing. */
  answer(rest: string, client: ClientState, query: URLSearchParams): JsonObject;
}

/** A model as the gateway offers it. */
export interface OfferedModel {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number | undefined;
  readonly ownedBy: string;
  /** What it can do, as far as its upstreams say. */
  readonly capabilities: Capabilities | undefined;
}

export interface WriterOptions {
  /** The name for the answer's `model` until the upstream gives its own. */
  readonly model: string;
  readonly includeUsage: boolean;
}

export interface FrameWriter {
  /** The frames for an event; empty where there is nothing to send. */
  write(event: AnswerEvent): string;
  /** The end of a finished answer. */
  end(): string;
  /** The end of a failed one. */
  failed(error: GatewayError): string;
  /** Takes note of a frame of the upstream's own that went out; asked for only where the failed end goes on from it. */
  passed?(frame: NativeEvent): void;
}

/** A plain answer, and where its usage comes from. */
export interface Collected {
  readonly body: JsonObject;
  readonly usage: CountedUsage | undefined;
}
