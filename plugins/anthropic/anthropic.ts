import type {
  Call,
  ChatRequest,
  ChatStream,
  Host,
  Json,
  JsonObject,
  Model,
  Upstream,
} from "modelyard/plugin";
import { ApiKeys } from "modelyard/credentials";
import { asString, post, ToolNames } from "modelyard/kit";
import { answerOf } from "./answer/answer.ts";
import { fetchModels, modelOf } from "./models.ts";
import { keysOf } from "./options.ts";
import type { Options } from "./options.ts";
import { EXTENSIONS } from "./request/extensions.ts";
import { mapRequest } from "./request/request.ts";
import { TOOL_NAMES } from "./request/tools.ts";
import { traitsOf } from "./traits.ts";

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
      const headers = this.#headers(key, betas);
      return answerOf(await post(call, { fetch, url: `${this.#url}/messages`, headers, body }), call);
    });
    return names.toClient(answer);
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

  #headers(key: string | undefined, betas: readonly string[]): Record<string, string> {
    const { version, beta, headers } = this.#options;
    const features = [...new Set([...beta, ...betas])];
    return {
      ...(key !== undefined && { "x-api-key": key }),
      "anthropic-version": version,
      ...(features.length > 0 && { "anthropic-beta": features.join(",") }),
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    };
  }
}
