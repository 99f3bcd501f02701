import type { Json, JsonObject } from "./json.ts";

/**
 * The client's body for OpenAI's `POST /v1/chat/completions`, with `model` already the upstream's own name.
 * Only what is typed here was checked; every other field travels as the client wrote it. A field that an
 * upstream can't honour is named with `call.ignored()` or refused with `UpstreamError("unsupported")`.
 * https://platform.openai.com/docs/api-reference/chat/create
 */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  /** What the client asked for; the upstream is asked in the same form where it knows both. */
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean | null } | null;
  /** How many answers; absent means one. */
  readonly n?: number | null;
  readonly [field: string]: Json | undefined;
}

/** One message of the conversation. `role` and `content` are checked, the rest is the client's. */
export interface Message {
  readonly role: string;
  readonly content?: string | readonly ContentPart[] | null;
  readonly [field: string]: Json | undefined;
}

/** One part of a message's content: `{"type": "text", "text": …}`, `{"type": "image_url", …}` and so on. */
export interface ContentPart extends JsonObject {
  readonly type: string;
}

/**
 * The client's body for OpenAI's legacy `POST /v1/completions`, with `model` already the upstream's own name.
 * https://platform.openai.com/docs/api-reference/completions/create
 */
export interface CompletionRequest {
  readonly model: string;
  readonly prompt: Prompt;
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean | null } | null;
  readonly n?: number | null;
  readonly [field: string]: Json | undefined;
}

/**
 * A text to be continued, several, or the same as token numbers. Only an upstream that says `completesLists` is given
 * another one than a string.
 */
export type Prompt = string | readonly string[] | readonly number[] | readonly (readonly number[])[];

/** Returns the prompts of a request one by one. Prompt `p` is answered by the choices from `p × n` on. */
export function promptsOf(prompt: Prompt): readonly (string | readonly number[])[] {
  const isOne = typeof prompt === "string" || typeof prompt[0] === "number";
  return isOne ? [prompt as string | readonly number[]] : (prompt as readonly string[]);
}

/**
 * The client's body for OpenAI's `POST /v1/embeddings`, with `model` already the upstream's own name and
 * `input` as a list; `encoding_format` is in it only where it is another than `float` and `base64`, which are the
 * core's affair.
 * https://platform.openai.com/docs/api-reference/embeddings/create
 */
export interface EmbedRequest {
  readonly model: string;
  /** Texts, texts as token numbers, or what only some upstreams know: pictures, documents. */
  readonly input: readonly EmbedInput[];
  readonly [field: string]: Json | undefined;
}

/** What one vector is asked for. An upstream that doesn't know such an object throws `unsupported`. */
export type EmbedInput = string | readonly number[] | JsonObject;
