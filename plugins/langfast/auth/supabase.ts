import { UpstreamError } from "modelyard/plugin";
import type { Host, Json, JsonObject } from "modelyard/plugin";
import { errorFromResponse, parseJson, errorFromFetch } from "modelyard/kit";

/** A request to the service's Supabase project. */
export interface SupabaseRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** The user's access token; without it only the project's public key is sent. */
  readonly token?: string;
  readonly body?: JsonObject;
  readonly signal: AbortSignal;
}

/** A response of the service's Supabase project, whatever its status. */
export interface SupabaseResponse {
  readonly status: number;
  /** Undefined if it isn't JSON. */
  readonly body: Json | undefined;
  /** Returns the `UpstreamError` for the response's status and body. */
  error(): UpstreamError;
}

/** Limit of a response body, in UTF-16 units; real ones are far smaller. */
const MAX_BODY_LENGTH = 1024 * 1024;

/** An HTTP client of the service's Supabase project: GoTrue, PostgREST and edge functions behind one public key. */
export class Supabase {
  readonly #url: string;
  readonly #anonKey: string;
  readonly #fetch: typeof fetch;

  constructor(options: { readonly supabase_url: string; readonly anon_key: string }, host: Host) {
    this.#url = options.supabase_url.replace(/\/+$/, "");
    this.#anonKey = options.anon_key;
    this.#fetch = host.fetch;
  }

  /**
   * Sends a request and reads the whole response. Throws the reason of `signal`, `UpstreamError` `unreachable` if the
   * connection fails, and `bad-response` above 1 MiB. Redirects aren't followed: they would leak the tokens.
   */
  async send(request: SupabaseRequest): Promise<SupabaseResponse> {
    try {
      const response = await this.#fetchResponse(request);
      const { status, headers } = response;
      const text = await readText(response);
      return { status, body: parseJson(text), error: () => errorFromResponse(status, headers, text) };
    } catch (error) {
      request.signal.throwIfAborted();
      throw errorFromFetch(this.#url, error);
    }
  }

  #fetchResponse({ method, path, token, body, signal }: SupabaseRequest): Promise<Response> {
    const headers: Record<string, string> = { apikey: this.#anonKey };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    if (body) headers["content-type"] = "application/json";
    const payload = body ? { body: JSON.stringify(body) } : {};
    return this.#fetch(this.#url + path, { method, headers, signal, redirect: "manual", ...payload });
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > MAX_BODY_LENGTH) throw new UpstreamError("bad-response", "the answer is too large");
  }
  return text + decoder.decode();
}
