/**
 * What authors of plugins need twice, re-exported as `modelyard/kit`.
 * @module
 */
export { answerStream } from "./answer-stream.ts";
export type { AnswerPiece } from "./answer-stream.ts";
export { Channel } from "./channel.ts";
export type { ChannelOptions } from "./channel.ts";
export { systemClock } from "./clock.ts";
export type { Clock } from "./clock.ts";
export { isBlankContent, readConversation } from "./conversation.ts";
export type { ConversationMessage, ConversationOptions, ToolCall } from "./conversation.ts";
export { failureIn, failureOf } from "./failure.ts";
export { cleanBase64, readInlineData } from "./inline-data.ts";
export type { InlineData, InlineDataOptions } from "./inline-data.ts";
export { asArray, asNumber, asObject, asObjects, asString, isAbsent, member, otherMembers } from "./json.ts";
export { parseAsWritten, parseJson } from "./json.ts";
export type { MaybeJson } from "./json.ts";
export { isObject } from "../contract/json.ts";
export { stringifyJson } from "../json/json-text.ts";
export { describeLimits, wellFormedSchema } from "./json-schema.ts";
export type { WellFormedSchema } from "./json-schema.ts";
export { reasonOf } from "./finish-reason.ts";
export { openaiStream } from "./openai-stream.ts";
export type { OpenAiStreamOptions } from "./openai-stream.ts";
export type { ReasoningForm } from "./openai-stream/delta.ts";
export { get, post } from "./post.ts";
export type { GetOptions, PostOptions } from "./post.ts";
export { readJson, readModelList } from "./read-json.ts";
export { unreachable } from "./unreachable.ts";
export { sse } from "./sse.ts";
export type { SseOptions } from "./sse.ts";
export { SseParser } from "./sse-parser.ts";
export type { SseEvent, SseParserOptions } from "./sse-parser.ts";
export { ToolNames } from "./tool-names.ts";
export type { ToolNameRule } from "./tool-names.ts";
