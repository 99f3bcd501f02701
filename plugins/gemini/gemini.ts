import type {
  Call,
  ChatRequest,
  ChatStream,
  EmbedRequest,
  EmbedResult,
  Host,
  Json,
  JsonObject,
  Model,
  Upstream,
} from "modelyard/plugin";
import { ApiKeys } from "modelyard/credentials";
import { asArray, asString, get, member, post, readJson, readModelList, ToolNames } from "modelyard/kit";
import type { Clock } from "modelyard/kit";
import { answerOf } from "./answer/answer.ts";
import { embedBodies, embedUsage, parseVectors } from "./embed.ts";
import { parseModelName, parseModels } from "./models.ts";
import { keysOf } from "./options.ts";
import type { Options } from "./options.ts";
import { generateRequest } from "./request/request.ts";
import { TOOL_NAMES } from "./request/tools.ts";

/** Limit of model list pages of 1000, against a list without end. */
const MAX_PAGES = 20;

/** Google's Gemini API as an upstream. */
export class Gemini implements Upstream {
  readonly extensions = ["is_error", "tool_media", "top_k", "extra_content"];
  readonly #options: Options;
  readonly #host: Host;
  readonly #base: string;
  readonly #keys: ApiKeys;

  constructor(options: Options, host: Host, clock?: Clock) {
    this.#options = options;
    this.#host = host;
    this.#base = options.base_url.replace(/\/+$/, "");
    this.#keys = new ApiKeys(keysOf(options), host, clock);
  }

  start(): void {
    this.#keys.start();
  }

  async models(signal: AbortSignal): Promise<readonly Model[]> {
    if (this.#options.models.length > 0) return this.#options.models.map((id) => ({ id, ownedBy: "google" }));
    return this.#keys.askWithAny((key) => this.#list(key, signal), signal);
  }

  async #list(key: string | undefined, signal: AbortSignal): Promise<readonly Model[]> {
    const headers = this.#headers(key);
    const models: Model[] = [];
    let token = "";
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = token === "" ? "" : `&pageToken=${encodeURIComponent(token)}`;
      const url = `${this.#base}/models?pageSize=1000${query}`;
      const response = await get({ fetch: this.#host.fetch, url, headers }, signal);
      const body = await readModelList(response, signal);
      models.push(...parseModels(body));
      token = asString(member(body, "nextPageToken"));
      if (token === "") break;
    }
    return models;
  }

  async chat(request: ChatRequest, call: Call): Promise<ChatStream> {
    const model = parseModelName(request.model);
    const names = new ToolNames(request, TOOL_NAMES);
    const body = generateRequest(request, { model, options: this.#options, names, call });
    const method = request.stream === true ? "streamGenerateContent?alt=sse" : "generateContent";
    const apiRequest = { path: `${model.resource}:${method}`, body };
    const options = { choices: request.n ?? 1, call };
    return names.toClient(
      await this.#keys.lendFor(call, async (key) =>
        answerOf(await this.#send(call, key, apiRequest), options),
      ),
    );
  }

  async embed(request: EmbedRequest, call: Call): Promise<EmbedResult> {
    const model = parseModelName(request.model);
    const path = `${model.resource}:batchEmbedContents`;
    const vectors: (readonly number[])[] = [];
    const answers: Json[] = [];
    for (const body of embedBodies(request, { model, call })) {
      const answer = await this.#keys.lend(call, async (key) =>
        readJson(await this.#send(call, key, { path, body }), call.signal),
      );
      vectors.push(...parseVectors(answer, asArray(body["requests"]).length));
      answers.push(answer);
    }
    const usage = embedUsage(answers);
    return { vectors, ...(usage && { usage }) };
  }

  status(): Json {
    return this.#keys.status();
  }

  #send(
    call: Call,
    key: string | undefined,
    { path, body }: { path: string; body: JsonObject },
  ): Promise<Response> {
    const headers = this.#headers(key);
    return post(call, { fetch: this.#host.fetch, url: `${this.#base}/${path}`, headers, body });
  }

  #headers(key: string | undefined): Record<string, string> {
    // A compressing proxy would buffer events until a block is full.
    return {
      "accept-encoding": "identity",
      ...this.#options.headers,
      ...(key !== undefined && { "x-goog-api-key": key }),
    };
  }
}
