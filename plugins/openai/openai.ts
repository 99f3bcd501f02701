import { promptsOf, UpstreamError } from "modelyard/plugin";
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
import { parseEmbeddings } from "./embeddings.ts";
import { HistoryAdapter } from "./history.ts";
import { parseModels, configuredModels } from "./models.ts";
import type { Options } from "./options.ts";
import { PRESETS } from "./presets.ts";
import type { Preset } from "./presets.ts";

/** Status codes of a server without an endpoint. */
const NO_SUCH_ENDPOINT = new Set([404, 405, 501]);

/** OpenAI's message for a model that exists but doesn't support completions. */
const CHAT_ONLY_MESSAGE = /chat model|chat\/completions/i;

/** A server with OpenAI's API as an upstream. Requests are forwarded as the client wrote them. */
export class OpenAi implements Upstream {
  readonly extensions: readonly string[];
  readonly #options: Options;
  readonly #address: Address;
  readonly #fetch: typeof fetch;
  readonly #keys: ApiKeys;
  readonly #history: HistoryAdapter;
  readonly completesLists = true;
  /** False after the server has rejected `stream_options`. */
  #requestsUsage = true;

  constructor(options: Options, host: Host) {
    const { api_key: key, api_keys: keys = key === undefined ? [] : [{ key }] } = options;
    this.#options = options;
    this.#address = new Address(options);
    this.#fetch = options.proxy === undefined ? host.fetch : withProxy(options.proxy, host.fetch);
    this.#keys = new ApiKeys(keys, host);
    const preset: Partial<Preset> = options.preset ? PRESETS[options.preset] : {};
    // Reasoning goes back in the form in which the server gave it.
    this.extensions = ["reasoning_content", ...(preset.extensions ?? [])];
    this.#history = new HistoryAdapter({
      reasoning: preset.reasoning,
      system: options.developer === "system",
    });
  }

  start(): void {
    this.#keys.start();
  }

  async models(signal: AbortSignal): Promise<readonly Model[]> {
    if (this.#options.models) return configuredModels(this.#options.models);
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
      return parseEmbeddings(await readJson(response, call.signal), request);
    });
  }

  status(): Json {
    return this.#keys.status();
  }

  async #list(key: string | undefined, signal: AbortSignal): Promise<readonly Model[]> {
    const url = this.#address.url("models");
    const headers = this.#address.headers(key);
    return parseModels(await readModelList(await get({ fetch: this.#fetch, url, headers }, signal), signal));
  }

  /** Retries without the members from other servers' answers that the server rejects. */
  async #chat(target: EndpointCall, request: ChatRequest): Promise<ChatStream> {
    for (;;) {
      const sent = this.#history.applyTo(request, (name) =>
        target.call.ignored(name, "the server refuses it"),
      );
      try {
        return this.#stream(await this.#postGeneration(target, sent), target, sent.n ?? 1);
      } catch (error) {
        if (!UpstreamError.is(error) || !this.#history.learnRefusal(error, sent)) throw error;
      }
    }
  }

  async #complete(target: EndpointCall, request: CompletionRequest): Promise<ChatStream> {
    const choices = promptsOf(request.prompt).length * (request.n ?? 1);
    return this.#stream(await this.#postGeneration(target, request), target, choices);
  }

  #stream(response: Response, { call }: EndpointCall, choices: number): ChatStream {
    const { learnReasoning: onReasoning } = this.#history;
    return openaiStream(response, { choices, call, onReasoning });
  }

  #postGeneration(target: EndpointCall, request: ChatRequest | CompletionRequest): Promise<Response> {
    if (!this.#requestsUsage) return this.#post(target, withoutUsageOption(request));
    return request.stream === true ? this.#postWithUsageOption(target, request) : this.#post(target, request);
  }

  async #postWithUsageOption(
    target: EndpointCall,
    request: ChatRequest | CompletionRequest,
  ): Promise<Response> {
    try {
      return await this.#post(target, withUsageOption(request));
    } catch (error) {
      if (!UpstreamError.is(error) || !rejectsUsageOption(error)) throw error;
      this.#requestsUsage = false;
      return this.#post(target, withoutUsageOption(request));
    }
  }

  #post({ call, key, endpoint }: EndpointCall, body: JsonObject): Promise<Response> {
    const model = typeof body["model"] === "string" ? body["model"] : "";
    const url = this.#address.url(endpoint, model);
    const sent = { url, headers: this.#address.headers(key), body };
    // Every server has this endpoint.
    if (endpoint === "chat/completions") return post(call, { fetch: this.#fetch, ...sent });
    return this.#postOptionalEndpoint(call, endpoint, sent);
  }

  async #postOptionalEndpoint(
    call: Call,
    endpoint: string,
    sent: Omit<PostOptions, "fetch">,
  ): Promise<Response> {
    let status = 0;
    const noting = wrapFetch(this.#fetch, async (...args) => {
      const response = await this.#fetch(...args);
      ({ status } = response);
      return response;
    });
    try {
      return await post(call, { fetch: noting, ...sent });
    } catch (error) {
      if (!NO_SUCH_ENDPOINT.has(status) || !UpstreamError.is(error)) throw error;
      if (error.code === "no-such-model" && !CHAT_ONLY_MESSAGE.test(error.message)) throw error;
      throw new UpstreamError("unsupported", `the upstream has no /${endpoint}: ${error.message}`, {
        cause: error,
      });
    }
  }
}

/** A call, the key and the endpoint of one request. */
interface EndpointCall {
  readonly call: Call;
  readonly key: string | undefined;
  readonly endpoint: string;
}

function withProxy(proxy: string, inner: typeof fetch): typeof fetch {
  return wrapFetch(inner, (input, init) => inner(input, { ...init, proxy }));
}

function wrapFetch(
  inner: typeof fetch,
  call: (...sent: Parameters<typeof fetch>) => Promise<Response>,
): typeof fetch {
  return Object.assign(call, { preconnect: inner.preconnect });
}

interface Streamable extends JsonObject {
  readonly stream?: boolean | null;
  readonly stream_options?: JsonObject | null;
}

/** Returns the request with `include_usage`; the core removes the usage for clients that didn't request it. */
function withUsageOption(request: Streamable): Streamable {
  if (request.stream_options?.["include_usage"] === true) return request;
  return { ...request, stream_options: { ...request.stream_options, include_usage: true } };
}

/** Returns the request without `include_usage`, for servers that reject it and always report usage (Mistral). */
function withoutUsageOption(request: Streamable): Streamable {
  const { stream_options: options, ...rest } = request;
  const { include_usage: _, ...others } = options ?? {};
  return Object.keys(others).length === 0 ? rest : { ...rest, stream_options: others };
}

/** Returns whether an error rejects `stream_options` or `include_usage`. */
function rejectsUsageOption({ code, message, param = "" }: UpstreamError): boolean {
  return code === "bad-request" && /stream_options|include_usage/.test(`${param} ${message}`);
}
