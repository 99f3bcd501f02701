import type { Call, ChatRequest, ChatStream, Host, JsonObject, Model, Upstream } from "modelyard/plugin";
import { post } from "modelyard/kit";
import { answerOf } from "./answer.ts";
import { blamed } from "./errors.ts";
import { textOf } from "./json.ts";
import { fetchModels, modelOf } from "./models.ts";
import type { Options } from "./options.ts";
import { mapRequest } from "./request.ts";
import { traitsOf } from "./traits.ts";

/** Anthropic's Messages API as an upstream. */
export class Anthropic implements Upstream {
  readonly #options: Options;
  readonly #host: Host;
  readonly #url: string;
  /** What the server said of its models when it was last asked. */
  #infos: ReadonlyMap<string, JsonObject> = new Map();

  constructor(options: Options, host: Host) {
    this.#options = options;
    this.#host = host;
    this.#url = `${options.base_url.replace(/\/+$/, "").replace(/\/v1$/, "")}/v1`;
  }

  async models(signal: AbortSignal): Promise<readonly Model[]> {
    const { models } = this.#options;
    if (models) return models.map((id) => modelOf(id, undefined));
    const infos = await fetchModels({
      fetch: this.#host.fetch,
      url: this.#url,
      headers: this.#headers([]),
      signal,
    });
    this.#infos = new Map(infos.map((info) => [textOf(info["id"]), info]));
    return [...this.#infos].map(([id, info]) => modelOf(id, info));
  }

  async chat(request: ChatRequest, call: Call): Promise<ChatStream> {
    const traits = traitsOf(request.model, this.#infos.get(request.model));
    const { body, betas } = mapRequest(request, { traits, maxTokens: this.#options.max_tokens, call });
    try {
      const url = `${this.#url}/messages`;
      const response = await post(call, {
        fetch: this.#host.fetch,
        url,
        headers: this.#headers(betas),
        body,
      });
      return answerOf(response, call);
    } catch (error) {
      throw blamed(error);
    }
  }

  #headers(betas: readonly string[]): Record<string, string> {
    const { api_key: key, version, beta, headers } = this.#options;
    const features = [...new Set([...beta, ...betas])];
    return {
      ...(key !== undefined && { "x-api-key": key }),
      "anthropic-version": version,
      ...(features.length > 0 && { "anthropic-beta": features.join(",") }),
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    };
  }
}
