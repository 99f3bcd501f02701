import type { Json, JsonObject } from "./json.ts";
import type { ChatRequest } from "./request.ts";

/** The client APIs in whose own form an upstream can be asked. */
export type NativeDialect = "anthropic-messages" | "openai-responses" | "gemini-generate";

/** A request as its client wrote it, for an upstream that speaks the client's API itself. */
export interface NativeRequest {
  readonly dialect: NativeDialect;
  /** The upstream's own name for the model. */
  readonly model: string;
  /** Whether the client asked for a stream. */
  readonly stream: boolean;
  /** Returns a member at the top of the body; undefined where there is none. */
  member(name: string): Json | undefined;
  /** Returns the body, with the upstream's own name for the model. The kit's `post` sends it as the client wrote it. */
  json(): JsonObject;
  /** Returns what `post` sends of it: the client's own bytes but for the model's name. */
  bytes(): Uint8Array<ArrayBuffer>;
  /** Returns the same as a conversation, for what is to be known of it beside the body. */
  chat(): ChatRequest;
}

/** An error's own words in the API that the upstream speaks. */
export interface NativeErrorWords {
  /** As `overloaded_error`. */
  readonly type?: string | undefined;
  readonly code?: string | undefined;
  /** What programs read beside them, as Anthropic's `error.details`; at most some 4,000 characters of JSON. */
  readonly details?: JsonObject | undefined;
}
