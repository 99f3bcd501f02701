import { UpstreamError } from "modelyard/plugin";
import type { Host, Json, JsonObject } from "modelyard/plugin";
import { failureOf, parseJson, unreachable } from "modelyard/kit";

/** One call to the service's Supabase project. */
export interface Question {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** The access token; without it only the project's public key is sent. */
  readonly token?: string;
  readonly body?: JsonObject;
  readonly signal: AbortSignal;
}

/** What came back, whatever its status. */
export interface Answer {
  readonly status: number;
  /** Undefined if it isn't JSON. */
  readonly body: Json | undefined;
  /** What the answer means as an error, going by its status and in its own words. */
  failure(): UpstreamError;
}

/** Any answer of this service is small; a larger one is something else. */
const LARGEST_ANSWER = 1024 * 1024;

/** The HTTP side of the service: GoTrue, PostgREST and edge functions behind one URL and one public key. */
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
   * Asks, and reads the whole answer. Throws the reason of `signal`, what `unreachable` makes of a connection that
   * isn't made or breaks, and `bad-response` above 1 MiB. Redirects are answers: they would carry tokens away.
   */
  async ask(question: Question): Promise<Answer> {
    try {
      const response = await this.#send(question);
      const text = await readText(response);
      return { status: response.status, body: parseJson(text), failure: () => failure(response, text) };
    } catch (error) {
      question.signal.throwIfAborted();
      throw unreachable(this.#url, error);
    }
  }

  #send({ method, path, token, body, signal }: Question): Promise<Response> {
    const headers: Record<string, string> = { apikey: this.#anonKey };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    if (body) headers["content-type"] = "application/json";
    const payload = body ? { body: JSON.stringify(body) } : {};
    return this.#fetch(this.#url + path, { method, headers, signal, redirect: "manual", ...payload });
  }
}

function failure(response: Response, text: string): UpstreamError {
  return failureOf(response.status, response.headers, text);
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > LARGEST_ANSWER) throw new UpstreamError("bad-response", "the answer is too large");
  }
  return text + decoder.decode();
}
