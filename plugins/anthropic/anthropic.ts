import type {
  Call,
  ChatRequest,
  ChatStream,
  Host,
  Json,
  JsonObject,
  Model,
  NativeRequest,
  Upstream,
} from "modelyard/plugin";
import { UpstreamError } from "modelyard/plugin";
import { ApiKeys } from "modelyard/credentials";
import { asNumber, asString, member, post, readJson, ToolNames } from "modelyard/kit";
import { answerOf } from "./answer/answer.ts";
import { nativeAnswerOf } from "./answer/native-answer.ts";
import { fetchModels, modelOf } from "./models.ts";
import { unsupported } from "./request/errors.ts";
import { keysOf } from "./options.ts";
import type { Options } from "./options.ts";
import { EXTENSIONS } from "./request/extensions.ts";
import { mapRequest } from "./request/request.ts";
import { TOOL_NAMES } from "./request/tools.ts";
import { withoutUnsignedThinking } from "./request/unsigned.ts";
import { traitsOf } from "./traits.ts";

/** A request of a client that speaks the API itself, and what it is sent with. */
interface NativeCall {
  readonly request: NativeRequest;
  readonly key: string | undefined;
  readonly call: Call;
}

/** Anthropic's Messages API as an upstream. */
export class Anthropic implements Upstream {
  readonly #options: Options;
  readonly #host: Host;
  readonly #keys: ApiKeys;
  readonly #url: string;
  /** The entries of the last model list by id. */
  #infos: ReadonlyMap<string, JsonObject> = new Map();

  constructor(options: Options, host: Host) {
    this.#options = options;
    this.#host = host;
    this.#keys = new ApiKeys(keysOf(options), host);
    this.#url = `${options.base_url.replace(/\/+$/, "").replace(/\/v1$/, "")}/v1`;
  }

  get extensions(): readonly string[] {
    return EXTENSIONS;
  }

  start(): void {
    this.#keys.start();
  }

  async models(signal: AbortSignal): Promise<readonly Model[]> {
    const { models } = this.#options;
    if (models) return models.map((id) => modelOf(id, undefined));
    const infos = await this.#fetchModels(signal);
    this.#infos = new Map(infos.map((info) => [asString(info["id"]), info]));
    return [...this.#infos].map(([id, info]) => modelOf(id, info));
  }

  async chat(request: ChatRequest, call: Call): Promise<ChatStream> {
    const traits = traitsOf(request.model, this.#infos.get(request.model));
    const names = new ToolNames(request, TOOL_NAMES);
    const context = { traits, maxTokens: this.#options.max_tokens, names, call };
    const { body, betas } = mapRequest(request, context);
    const { fetch } = this.#host;
    const answer = await this.#keys.lendFor(call, async (key) => {
      const headers = this.#headers(key, [...betas, ...asked(call.headers["anthropic-beta"])]);
      return answerOf(await post(call, { fetch, url: `${this.#url}/messages`, headers, body }), call);
    });
    return names.toClient(answer);
  }

  readonly native = {
    "anthropic-messages": (request: NativeRequest, call: Call): Promise<ChatStream> =>
      this.#keys.lendFor(call, async (key) => {
        const response = await this.#post("messages", { request, key, call });
        return nativeAnswerOf(response, call, request.stream);
      }),
  };

  async countTokens(request: NativeRequest, call: Call): Promise<number> {
    if (request.dialect !== "anthropic-messages")
      throw unsupported("counts the tokens of its own requests only", "model");
    return this.#keys.lend(call, async (key) => {
      const response = await this.#post("messages/count_tokens", { request, key, call });
      const count = asNumber(member(await readJson(response, call.signal), "input_tokens"));
      if (count !== undefined) return count;
      throw new UpstreamError("bad-response", "the upstream sent something that is no count of tokens");
    });
  }

  /** Sends a request as its client wrote it, but for what a Claude is known to reject. */
  #post(path: string, { request, key, call }: NativeCall): Promise<Response> {
    const { fetch } = this.#host;
    const headers = this.#headers(key, asked(call.headers["anthropic-beta"]), call.headers);
    // Other servers' models sign nothing, and may need what they thought.
    const { isClaude } = traitsOf(request.model, undefined);
    const body = isClaude ? withoutUnsignedThinking(request.json(), call) : request.json();
    return post(call, { fetch, url: `${this.#url}/${path}`, headers, body });
  }

  status(): Json {
    return this.#keys.status();
  }

  /** Fetches the server's model list with the first key that it accepts. */
  async #fetchModels(signal: AbortSignal): Promise<readonly JsonObject[]> {
    const { fetch } = this.#host;
    const ask = (key: string | undefined) =>
      fetchModels({ fetch, url: this.#url, headers: this.#headers(key, []), signal });
    return this.#keys.askWithAny(ask, signal);
  }

  #headers(
    key: string | undefined,
    betas: readonly string[],
    client: Call["headers"] = {},
  ): Record<string, string> {
    const { version, beta, headers } = this.#options;
    const features = [...new Set([...beta, ...betas])];
    return {
      ...(key !== undefined && { "x-api-key": key }),
      "anthropic-version": client["anthropic-version"] ?? version,
      ...(features.length > 0 && { "anthropic-beta": features.join(",") }),
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    };
  }
}

/** Returns the names in a client's `anthropic-beta` header. */
function asked(header = ""): string[] {
  return header
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
}
