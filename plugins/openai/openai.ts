import { UpstreamError } from "modelyard/plugin";
import type {
  Call,
  ChatRequest,
  ChatStream,
  CompletionRequest,
  EmbedRequest,
  EmbedResult,
  Host,
  Json,
  JsonObject,
  Model,
  Upstream,
} from "modelyard/plugin";
import type { PostOptions } from "modelyard/kit";
import { ApiKeys } from "modelyard/credentials";
import { get, openaiStream, post, readJson, readModelList } from "modelyard/kit";
import { Address } from "./address.ts";
import { embeddingsIn } from "./embeddings.ts";
import { Habits } from "./history.ts";
import { modelsIn, modelsNamed } from "./models.ts";
import type { Options } from "./options.ts";
import { PRESETS } from "./presets.ts";
import type { Preset } from "./presets.ts";

/** Answers of a server that doesn't have an endpoint. */
const NO_SUCH_ENDPOINT = new Set([404, 405, 501]);

/** OpenAI's own words for a model that has no completions: it is there, and the endpoint is not for it. */
const SAYS_CHAT_ONLY = /chat model|chat\/completions/i;

/** A server that speaks OpenAI's API, as an upstream. Requests travel as the client wrote them. */
export class OpenAi implements Upstream {
  readonly #options: Options;
  readonly #address: Address;
  readonly #fetch: typeof fetch;
  readonly #keys: ApiKeys;
  readonly #habits: Habits;
  /** False once the server has refused to be asked. */
  #asksForUsage = true;

  constructor(options: Options, host: Host) {
    const { api_key: key, api_keys: keys = key === undefined ? [] : [{ key }] } = options;
    this.#options = options;
    this.#address = new Address(options);
    this.#fetch = options.proxy === undefined ? host.fetch : through(options.proxy, host.fetch);
    this.#keys = new ApiKeys(keys, host);
    const preset: Partial<Preset> = options.preset ? PRESETS[options.preset] : {};
    this.#habits = new Habits({ reasoning: preset.reasoning, system: options.developer === "system" });
  }

  start(): void {
    this.#keys.start();
  }

  async models(signal: AbortSignal): Promise<readonly Model[]> {
    if (this.#options.models) return modelsNamed(this.#options.models);
    return this.#keys.askWithAny((key) => this.#list(key, signal), signal);
  }

  chat(request: ChatRequest, call: Call): Promise<ChatStream> {
    return this.#keys.lendFor(call, (key) =>
      this.#chat({ call, key, endpoint: "chat/completions" }, request),
    );
  }

  complete(request: CompletionRequest, call: Call): Promise<ChatStream> {
    const ask = (key: string | undefined) => this.#complete({ call, key, endpoint: "completions" }, request);
    return this.#keys.lendFor(call, ask);
  }

  async embed(request: EmbedRequest, call: Call): Promise<EmbedResult> {
    return this.#keys.lend(call, async (key) => {
      const response = await this.#post({ call, key, endpoint: "embeddings" }, request);
      return embeddingsIn(await readJson(response, call.signal), request);
    });
  }

  status(): Json {
    return this.#keys.status();
  }

  async #list(key: string | undefined, signal: AbortSignal): Promise<readonly Model[]> {
    const url = this.#address.url("models");
    const headers = this.#address.headers(key);
    return modelsIn(await readModelList(await get({ fetch: this.#fetch, url, headers }, signal), signal));
  }

  /** Asks once more for each of the gateway's own members that the server refuses. */
  async #chat(asked: Asked, request: ChatRequest): Promise<ChatStream> {
    for (;;) {
      const sent = this.#habits.applyTo(request, (name) => asked.call.ignored(name, "the server refuses it"));
      try {
        return this.#stream(await this.#postAskingForUsage(asked, sent), asked, sent);
      } catch (error) {
        if (!UpstreamError.is(error) || !this.#habits.learnRefusal(error, sent)) throw error;
      }
    }
  }

  async #complete(asked: Asked, request: CompletionRequest): Promise<ChatStream> {
    return this.#stream(await this.#postAskingForUsage(asked, request), asked, request);
  }

  #stream(response: Response, { call }: Asked, { n }: ChatRequest | CompletionRequest): ChatStream {
    const { learnReasoning: onReasoning } = this.#habits;
    return openaiStream(response, { choices: n ?? 1, call, onReasoning });
  }

  #postAskingForUsage(asked: Asked, request: ChatRequest | CompletionRequest): Promise<Response> {
    if (!this.#asksForUsage) return this.#post(asked, notAskingForUsage(request));
    return request.stream === true ? this.#postTrying(asked, request) : this.#post(asked, request);
  }

  async #postTrying(asked: Asked, request: ChatRequest | CompletionRequest): Promise<Response> {
    try {
      return await this.#post(asked, askingForUsage(request));
    } catch (error) {
      if (!UpstreamError.is(error) || !refusesToTellUsage(error)) throw error;
      this.#asksForUsage = false;
      return this.#post(asked, notAskingForUsage(request));
    }
  }

  #post({ call, key, endpoint }: Asked, body: JsonObject): Promise<Response> {
    const model = typeof body["model"] === "string" ? body["model"] : "";
    const url = this.#address.url(endpoint, model);
    const sent = { url, headers: this.#address.headers(key), body };
    // Every server has this one.
    if (endpoint === "chat/completions") return post(call, { fetch: this.#fetch, ...sent });
    return this.#postWhereItMayBe(call, endpoint, sent);
  }

  async #postWhereItMayBe(call: Call, endpoint: string, sent: Omit<PostOptions, "fetch">): Promise<Response> {
    let status = 0;
    const noting = wrapped(this.#fetch, async (...args) => {
      const response = await this.#fetch(...args);
      ({ status } = response);
      return response;
    });
    try {
      return await post(call, { fetch: noting, ...sent });
    } catch (error) {
      if (!NO_SUCH_ENDPOINT.has(status) || !UpstreamError.is(error)) throw error;
      if (error.code === "no-such-model" && !SAYS_CHAT_ONLY.test(error.message)) throw error;
      throw new UpstreamError("unsupported", `the upstream has no /${endpoint}: ${error.message}`, {
        cause: error,
      });
    }
  }
}

/** One call of an endpoint. */
interface Asked {
  readonly call: Call;
  readonly key: string | undefined;
  readonly endpoint: string;
}

function through(proxy: string, inner: typeof fetch): typeof fetch {
  return wrapped(inner, (input, init) => inner(input, { ...init, proxy }));
}

function wrapped(
  inner: typeof fetch,
  call: (...sent: Parameters<typeof fetch>) => Promise<Response>,
): typeof fetch {
  return Object.assign(call, { preconnect: inner.preconnect });
}

interface Streamable extends JsonObject {
  readonly stream?: boolean | null;
  readonly stream_options?: JsonObject | null;
}

/** A request for a streamed answer, with its usage asked for; the core strips it for clients who didn't ask. */
function askingForUsage(request: Streamable): Streamable {
  if (request.stream_options?.["include_usage"] === true) return request;
  return { ...request, stream_options: { ...request.stream_options, include_usage: true } };
}

/** The request for a server that won't be asked for the usage: such servers (Mistral) tell it unasked. */
function notAskingForUsage(request: Streamable): Streamable {
  const { stream_options: options, ...rest } = request;
  const { include_usage: _, ...others } = options ?? {};
  return Object.keys(others).length === 0 ? rest : { ...rest, stream_options: others };
}

/** True if a server says that it doesn't know the field by which the usage is asked for. */
function refusesToTellUsage({ code, message, param = "" }: UpstreamError): boolean {
  return code === "bad-request" && /stream_options|include_usage/.test(`${param} ${message}`);
}
