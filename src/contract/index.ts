/**
 * All that a plugin sees of the gateway, re-exported as `modelyard/plugin`.
 * @module
 */
export { foldExtra } from "./event.ts";
export type {
  Batches,
  CanonicalEvent,
  ChatEvent,
  ChatStream,
  EmbedResult,
  ExtraEvent,
  FinishEvent,
  FinishReason,
  FoldedFields,
  NativeEvent,
  NextBatch,
  ReasoningEvent,
  TextEvent,
  ToolCallEvent,
  Usage,
  UsageEvent,
} from "./event.ts";
export { FAILURES, UpstreamError } from "./error.ts";
export type { Blame, Failure, UpstreamErrorCode, UpstreamErrorOptions } from "./error.ts";
export type { Json, JsonObject } from "./json.ts";
export { isNumber, LosslessNumber } from "./lossless-number.ts";
export type { NativeDialect, NativeErrorWords, NativeRequest } from "./native.ts";
export { Duration, HeaderMap, HeaderValue, Secret, Type } from "./options.ts";
export type { SecretOptions, Static, TSchema } from "./options.ts";
export { promptsOf } from "./request.ts";
export type {
  ChatRequest,
  CompletionRequest,
  ContentPart,
  EmbedInput,
  EmbedRequest,
  Message,
  Prompt,
} from "./request.ts";
export { definePlugin } from "./upstream.ts";
export type {
  Call,
  Capabilities,
  Host,
  KeyValue,
  Logger,
  Model,
  SetOptions,
  StoredValue,
  Upstream,
  UpstreamPlugin,
} from "./upstream.ts";
