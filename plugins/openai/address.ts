import type { Options } from "./options.ts";
import { PRESETS } from "./presets.ts";

/** Azure's hosts, its API management and deployment paths. */
const AZURE = /^https:\/\/[^/]+\.(azure\.com|azure-api\.net)(:\d+)?(\/|$)|\/openai\/deployments\//i;

/** Builds the URLs of a server's endpoints and the headers of its requests. */
export class Address {
  readonly #base: string;
  readonly #options: Options;
  /** Cached, because most requests need the same ones. */
  readonly #urls = new Map<string, string>();
  readonly #headers = new Map<string | undefined, Readonly<Record<string, string>>>();

  constructor(options: Options) {
    this.#options = options;
    this.#base = options.base_url ?? (options.preset ? PRESETS[options.preset].url : "");
  }

  /** Returns the URL of an endpoint such as `chat/completions`; `model` replaces `{model}` in it. */
  url(endpoint: string, model = ""): string {
    if (this.#base.includes("{model}")) return this.#makeUrl(endpoint, model);
    let url = this.#urls.get(endpoint);
    if (url === undefined) {
      url = this.#makeUrl(endpoint, model);
      this.#urls.set(endpoint, url);
    }
    return url;
  }

  #makeUrl(endpoint: string, model: string): string {
    const url = new URL(this.#base.replaceAll("{model}", encodeURIComponent(model)));
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/${endpoint}`;
    for (const [name, value] of Object.entries(this.#options.query)) url.searchParams.set(name, value);
    return url.href;
  }

  /** Returns the headers of a request with this key, or with none. */
  headers(key: string | undefined): Readonly<Record<string, string>> {
    let headers = this.#headers.get(key);
    if (!headers) {
      headers = this.#makeHeaders(key);
      this.#headers.set(key, headers);
    }
    return headers;
  }

  #makeHeaders(key: string | undefined): Record<string, string> {
    const { organization, project, headers } = this.#options;
    return {
      ...(key !== undefined && this.#credential(key)),
      ...(organization !== undefined && { "openai-organization": organization }),
      ...(project !== undefined && { "openai-project": project }),
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    };
  }

  #credential(key: string): Record<string, string> {
    return AZURE.test(this.#base) ? { "api-key": key } : { authorization: `Bearer ${key}` };
  }
}
