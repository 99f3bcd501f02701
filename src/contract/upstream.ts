import type { ChatStream, EmbedResult } from "./event.ts";
import type { Json, JsonObject } from "./json.ts";
import type { NativeDialect, NativeRequest } from "./native.ts";
import type { Static, TSchema } from "./options.ts";
import type { ChatRequest, CompletionRequest, EmbedRequest } from "./request.ts";

/** A plugin: the code that speaks to one kind of upstream. The default export of its module. */
export interface UpstreamPlugin<Options extends TSchema = TSchema> {
  /** The version of this contract the plugin is written to. */
  readonly apiVersion: 1;
  /** For logs and errors: lower case letters, digits and dashes. */
  readonly name: string;
  /** Checks, fills with defaults and documents this plugin's `options` in gateway.yaml. Make it strict. */
  readonly options: Options;
  /**
   * Makes an upstream from checked options. It may check and build, but neither use the network nor write
   * anything: `modelyard check` opens every upstream and closes it again.
   */
  open(options: Static<Options>, host: Host): Upstream | Promise<Upstream>;
}

/** One configured instance of a plugin. The optional members are capabilities. */
export interface Upstream {
  /**
   * True if `chat` calls `call.connected()`: only then does the `connect` deadline apply. With `fetch` leave
   * it out: connecting can't be told apart from waiting for the answer's headers.
   */
  readonly reportsConnection?: boolean;
  /**
   * True if `chat` gives its events as they happen even where the client didn't ask for a stream: then `first_event` and
   * `idle` count for plain requests, too. Leave it out where a plain answer comes in one piece.
   */
  readonly alwaysStreams?: boolean;
  /**
   * What `chat` understands beyond OpenAI's chat completions. A request that was translated from another API is given without
   * everything else of that API's own. Each is the name of a member (`cache_control`, `is_error`, `reasoning_details`,
   * `thinking`, `top_k` …), the type of a content part (`document`, `search_result` …), or one of: `server_tools`, tools that
   * the upstream runs itself; `tool_media`, pictures and files in the content of a `tool` message.
   */
  readonly extensions?: readonly string[];
  /** Begins background work. Called once, and only when the gateway really serves. */
  start?(): void | Promise<void>;
  /**
   * The models it offers now. May ask the network; rejects or aborts with `signal`. The command `explain` asks without
   * `start()`, so that looking costs nothing: a list that needs what that begins waits then until `signal` aborts.
   */
  models(signal: AbortSignal): Promise<readonly Model[]>;
  /**
   * Answers one request. Whatever fails is thrown as UpstreamError, here or by the stream. A stream that
   * ends without a `finish` for each choice is an answer that broke off.
   */
  chat(request: ChatRequest, call: Call): ChatStream | Promise<ChatStream>;
  /**
   * The client APIs that the upstream speaks itself: a request of one of them is given to it as its client wrote it, in
   * place of `chat`, and the answer's frames go out as they come (`NativeEvent`). An answer whose form is not what the
   * client asked for (a document in place of a stream) is given as events alone. What is thrown as `unsupported` before
   * the stream is returned leads to `chat` at the same upstream.
   */
  readonly native?: Readonly<
    Partial<Record<NativeDialect, (request: NativeRequest, call: Call) => ChatStream | Promise<ChatStream>>>
  >;
  /**
   * Counts the tokens of a request without answering it, by the upstream's own tokenizer. Throws `unsupported` for a
   * request or dialect that it can't count.
   */
  countTokens?(request: NativeRequest, call: Call): Promise<number>;
  /**
   * Continues a text (OpenAI's legacy completions), as text events. Without it the core asks `chat` with the
   * prompt as a user's message.
   */
  complete?(request: CompletionRequest, call: Call): ChatStream | Promise<ChatStream>;
  /**
   * True if `complete` takes every form of `prompt`: it is then given a list of prompts as it is, and its choices count
   * on from prompt to prompt. Otherwise it is asked once for each text of a list.
   */
  readonly completesLists?: boolean;
  /** Turns texts into vectors. */
  embed?(request: EmbedRequest, call: Call): Promise<EmbedResult>;
  /** What people should see of its state: a pool's credentials by state, a socket's health. No secrets. */
  status?(): Json;
}

/** A model as an upstream lists it. A capability left out is unknown. */
export interface Model {
  readonly id: string;
  readonly ownedBy?: string;
  /** When it was made, in seconds since 1970. */
  readonly created?: number;
  readonly capabilities?: Capabilities;
}

export interface Capabilities {
  readonly tools?: boolean;
  readonly vision?: boolean;
  /** Takes `response_format` of type `json_schema`. */
  readonly json_schema?: boolean;
  readonly reasoning?: boolean;
  /** The longest conversation, in tokens. */
  readonly context?: number;
  /** The longest answer, in tokens. */
  readonly output?: number;
}

/** What the gateway lends to an upstream while it is open. */
export interface Host {
  /** The upstream's name in gateway.yaml. */
  readonly id: string;
  readonly log: Logger;
  readonly fetch: typeof fetch;
  /** Aborted when the upstream is closed. */
  readonly signal: AbortSignal;
  /** Small state that survives restarts: encrypted, and this upstream's alone. */
  readonly storage: KeyValue;
  /** Names a value that must never appear in logs, errors or status. */
  secret(value: string): void;
  /** Registers a clean-up for when the upstream is closed, or `open` has thrown. Last in, first out. */
  defer(cleanup: () => void | Promise<void>): void;
}

/** What the gateway lends for one attempt to answer a request. */
export interface Call {
  /** The request's id, as in `x-request-id`. */
  readonly id: string;
  /** 1 for the first attempt of this request. */
  readonly attempt: number;
  /** The client's headers that its API hands on to upstreams, by their names in lower case. Never a credential. */
  readonly headers: Readonly<Record<string, string>>;
  readonly log: Logger;
  /** Aborted when nobody waits for the answer any more: the client left, a deadline passed, or shut-down. */
  readonly signal: AbortSignal;
  /** Says that the upstream's connection stands, where that can be told: ends the `connect` deadline. */
  connected(): void;
  /**
   * Says that the call waits for its turn, for a free credential for example. Until the returned value is disposed of
   * only `timeouts.queue` counts; `connect` and `first_event` begin afterwards. When it passes, `signal` aborts and the
   * client gets 503 `overloaded`, unless another target answers; nobody is blamed. The kit's credential pool calls it.
   */
  queued(): Disposable;
  /**
   * Says that the upstream is at work although it has nothing for the client yet: a ping came, a comment, or part of a
   * message. Restarts `first_event` and `idle`, but not `total`. What the kit reads of a `post` calls it by itself.
   */
  alive(): void;
  /**
   * Returns the request as its client wrote it, or a copy of it (`{...request, model}`) with what the copy changed at the
   * top: long numbers, escapes and the order of members stay. Undefined for any other object; write that anew. The kit's
   * `post` asks it.
   */
  originalBody(body: JsonObject): Uint8Array<ArrayBuffer> | undefined;
  /** Says that a request parameter could not be honoured; the client reads it in `x-modelyard-ignored`. */
  ignored(parameter: string, why: string): void;
}

/** A log with levels. `fields` are printed as they are, secrets removed: no prompts, no answers. */
export interface Logger {
  debug(message: string, fields?: JsonObject): void;
  info(message: string, fields?: JsonObject): void;
  warn(message: string, fields?: JsonObject): void;
  error(message: string, fields?: JsonObject): void;
}

/** A small versioned store. */
export interface KeyValue {
  get(key: string): Promise<StoredValue | undefined>;
  /**
   * Stores a value and gives its new version. With `ifVersion` (0: not there yet) nothing is stored and
   * `undefined` comes back when someone else has written in between.
   */
  set(key: string, value: Json, options?: SetOptions): Promise<number | undefined>;
  delete(key: string): Promise<void>;
  /** All keys that begin with `prefix`, sorted. */
  keys(prefix?: string): Promise<readonly string[]>;
}

export interface SetOptions {
  /** The version that the stored value must have for this one to be stored; 0: there must be none. */
  readonly ifVersion?: number;
  /**
   * Milliseconds, by the clock of the store, after which the value isn't there any more. The next value of the key, if it
   * comes within a day, has a version that the key never had: whoever still holds an expired value can tell.
   */
  readonly expiresIn?: number;
}

export interface StoredValue {
  readonly value: Json;
  readonly version: number;
}

/** Gives a plugin its types; returns it as it is. */
export function definePlugin<Options extends TSchema>(
  plugin: UpstreamPlugin<Options>,
): UpstreamPlugin<Options> {
  return plugin;
}
